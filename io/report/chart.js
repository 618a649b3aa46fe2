// A chart by uPlot: in the page's colours, as wide as there is room.

const kFont = '12px system-ui, sans-serif';

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// Draws anew when the colours of the page change, and fits the width that there is.
class Chart {
  constructor(parent, label, options) {
    this.parent = parent;
    this.options = options;
    parent.setAttribute('role', 'img');
    parent.setAttribute('aria-label', label);
    this.draw();
    new ResizeObserver(() => this.plot.setSize(this.size())).observe(parent);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.draw());
  }

  size() {
    return {width: this.parent.clientWidth, height: this.parent.clientWidth < 480 ? 240 : 300};
  }

  draw() {
    this.parent.replaceChildren();
    const {options, values} = this.options();
    this.plot = new uPlot({...options, ...this.size()}, values, this.parent);
  }
}

function axis(more) {
  return {
    stroke: colour('--soft'), grid: {stroke: colour('--line'), width: 1},
    ticks: {stroke: colour('--line'), width: 1}, font: kFont, ...more,
  };
}

const countAxis = (more) => axis({
  size: 62, ...more,
  values: (plot, splits) => splits.map((each) => each === null ? '' : rate(each)),
});
