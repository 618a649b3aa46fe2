// How long answers took.

function barName([from, to, , open]) {
  if (open) return `${number(from)} ms and more`;
  return to - from === 1 ? `${number(from)} ms` : `${number(from)} to ${number(to - 1)} ms`;
}

function latencyChart(bars) {
  const label = (index) => Number.isInteger(index) && bars[index] ?
      number(bars[index][0]) + (bars[index][3] ? '+' : '') : '';
  return {
    values: [bars.map((_, index) => index), bars.map((bar) => bar[2])],
    options: {
      scales: {
        x: {time: false, range: () => [-0.5, bars.length - 0.5]},
        y: {range: (plot, low, high) => [0, Math.max(high, 1) * 1.1]},
      },
      series: [
        {label: 'latency', value: (plot, value) => value === null ? '' : barName(bars[value])},
        {label: 'answers', stroke: colour('--accent'), fill: colour('--accent'), width: 0,
          paths: uPlot.paths.bars({size: [0.86, 60]}), points: {show: false},
          value: (plot, value) => value === null ? '' : number(value)},
      ],
      axes: [
        axis({space: 44, size: 34, incrs: [1, 2, 5, 10, 20], grid: {show: false},
          values: (plot, splits) => splits.map(label),
          label: 'milliseconds', labelSize: 22, labelFont: kFont}),
        countAxis({label: 'answers', labelSize: 22, labelFont: kFont}),
      ],
    },
  };
}

function drawLatency() {
  const {latency} = data;
  if (latency.count === 0) {
    part('latency', '.words').textContent = 'No answer has come yet.';
    part('latency', 'details').hidden = true;
    return;
  }
  const list = part('latency', '.tiles');
  tile(list, 'shortest', `${number(latency.min)} ms`);
  for (const [name, ms] of latency.quantiles) tile(list, name, `${number(ms)} ms`);
  tile(list, 'longest', `${number(latency.max)} ms`);
  const words = `${number(latency.count)} answers, from the first byte of the request to the end ` +
      'of the answer, in whole milliseconds. p99 is the time within which 99 of 100 came.';
  part('latency', '.words').textContent = words;
  const shares = latency.quantiles.map(([name, ms]) => `${name} ${number(ms)} ms`).join(', ');
  new Chart(part('latency', '.chart'), `${words} ${shares}.`, () => latencyChart(latency.bars));
  new Table(part('latency', '.table'), [
    {name: 'Latency', of: (bar) => bar[0], show: barName, kind: 'time'},
    {name: 'Answers', of: (bar) => bar[2], show: (bar) => number(bar[2]), kind: 'number'},
    {name: 'Share', of: (bar) => bar[2], kind: 'number',
      show: (bar) => `${(100 * bar[2] / latency.count).toFixed(2)} %`},
  ], latency.bars, {caption: 'How long answers took'});
}
