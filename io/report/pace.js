// Orders over time: a run's attempts and what became of them, against its limit.

function rateOf(run, what) {
  return run.buckets[what].map((count) => count * 1000 / run.width);
}

function paceChart(run) {
  const begun = run.buckets[0];
  // A step more, so that the last bucket has its width.
  const times = [...begun, 0].map((_, index) => run.begin + index * run.width);
  const span = times[times.length - 1] - times[0];
  const refused = rateOf(run, 2).map((value, index) => value + rateOf(run, 3)[index]);
  const closed = (values) => [...values, values[values.length - 1]];
  const values = [times, closed(rateOf(run, 0)), closed(rateOf(run, 1)), closed(refused)];
  const steps = uPlot.paths.stepped({align: 1});
  const perSecond = (plot, value) => value === null ? '' : `${rate(value)}/s`;
  const line = (label, name, more) => ({
    label, stroke: colour(name), width: 2, paths: steps, points: {show: false}, value: perSecond,
    ...more,
  });
  const series = [
    {label: 'time (UTC)', value: (plot, value) => value === null ? '' : clock(value, span)},
    line('attempts begun', '--accent', {fill: colour('--area')}),
    line('placed', '--placed'),
    line('not placed', '--refused'),
  ];
  if (run.per_second) {
    values.push(times.map(() => run.per_second));
    series.push(line('limit', '--limit', {dash: [8, 5], paths: undefined}));
  }
  return {values, options: {
    ms: 1, series, tzDate: (at) => uPlot.tzDate(new Date(at), 'Etc/UTC'),
    scales: {y: {range: (plot, low, high) => [0, Math.max(high, 0.001) * 1.1]}},
    cursor: {drag: {x: true, y: false}},
    axes: [
      axis({space: 80, size: 34, values: (plot, splits) => splits.map((at) => clock(at, span))}),
      countAxis({label: 'orders a second', labelSize: 22, labelFont: kFont}),
    ],
  }};
}

const runName = (run, index) =>
    `${index + 1}: ${utc(run.begin)}, ${number(run.counts[0])} attempts`;

function limitWords(run) {
  if (run.per_second) return `The limit was ${run.limit}`;
  return run.limit ? 'There was no limit' : 'The ledger does not say what the limit was';
}

function paceWords(run) {
  const rates = rateOf(run, 0);
  const most = rates.reduce((a, b) => Math.max(a, b), 0);
  const took = Math.max(run.last - run.begin, 1);
  const outside = run.outside === 0 ? '' :
      ` ${number(run.outside)} events are not shown: a clock was off.`;
  const burst = run.per_second && most > run.per_second;
  return `${number(run.counts[0])} attempts in ${duration(took)}, ` +
      `${rate(run.counts[0] * 1000 / took)}/s; ${number(run.counts[1])} placed. ` +
      `${limitWords(run)}. Each step is ${duration(run.width)}; the highest is ${rate(most)}/s` +
      `${burst ? ', for a step may hold a burst above the limit' : ''}.` +
      outside;
}

function drawPace(run) {
  const place = part('pace', '.chart');
  const words = paceWords(run);
  if (place.chart) {
    place.chart.options = () => paceChart(run);
    place.setAttribute('aria-label', words);
    place.chart.draw();
  } else {
    place.chart = new Chart(place, words, () => paceChart(run));
  }
  part('pace', '.words').textContent = words;
  const table = part('pace', '.table');
  table.replaceChildren();
  const rows = run.buckets[0].map((_, index) => ({
    at: run.begin + index * run.width, counts: run.buckets.map((column) => column[index]),
  }));
  new Table(table, [
    {name: 'From (UTC)', of: (row) => row.at, show: (row) => utc(row.at), kind: 'time'},
    ...kHappenings.map((name, what) => ({
      name, of: (row) => row.counts[what], show: (row) => number(row.counts[what]), kind: 'number',
    })),
  ], rows, {caption: 'Orders over time'});
}

function drawPaces() {
  if (data.runs.length === 0) {
    part('pace', '.words').textContent = 'No attempt was begun yet.';
    part('pace', 'details').hidden = true;
    return;
  }
  const last = data.runs.length - 1;
  if (last > 0) {
    const select = add(add(part('pace', '.tools'), 'label', 'Run'), 'select');
    data.runs.forEach((run, index) => {
      const option = add(select, 'option', runName(run, index));
      option.value = String(index);
      option.selected = index === last;
    });
    select.addEventListener('change', () => drawPace(data.runs[Number(select.value)]));
  }
  drawPace(data.runs[last]);
}
