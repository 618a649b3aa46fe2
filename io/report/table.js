// Tables that can be filtered and sorted.
//
//   columns  {name, of(row): text or number, show(row): text, fill(cell, row), kind: class}
//   options  {caption, search: what can be searched, filters: [{name, of(row)}], cards: at phone
//            widths, leftOut: a sentence, none: said of no rows}
class Table {
  constructor(parent, columns, rows, options) {
    this.columns = columns;
    this.rows = rows;
    this.sorted = null;
    this.filters = [];
    if (rows.length === 0) {
      add(parent, 'p', options.none, 'none');
      return;
    }
    if (options.search) this.addTools(parent, options);
    const scroll = add(parent, 'div', null, options.cards ? 'scroll cards' : 'scroll');
    scroll.tabIndex = 0;
    scroll.setAttribute('role', 'region');
    scroll.setAttribute('aria-label', options.caption);
    this.table = add(scroll, 'table');
    this.addHead();
    this.body = add(this.table, 'tbody');
    this.lines = rows.map((row) => ({row, text: this.textOf(row), line: this.line(row)}));
    this.draw();
    if (options.leftOut) add(parent, 'p', options.leftOut, 'left-out');
  }

  addTools(parent, options) {
    const tools = add(parent, 'div', null, 'tools');
    const label = add(tools, 'label', 'Filter');
    this.search = add(label, 'input');
    this.search.type = 'search';
    this.search.placeholder = options.search;
    this.search.addEventListener('input', () => this.draw());
    for (const filter of options.filters || []) this.addFilter(tools, filter);
    this.count = add(tools, 'p', null, 'count');
    this.count.setAttribute('aria-live', 'polite');
  }

  addFilter(tools, filter) {
    const values = [...new Set(this.rows.map(filter.of))].sort();
    if (values.length < 2) return;
    const select = add(add(tools, 'label', filter.name), 'select');
    add(select, 'option', 'all').value = '';
    values.forEach((value, index) => {
      add(select, 'option', short(value)).value = `v${index}`;
    });
    select.addEventListener('change', () => this.draw());
    this.filters.push((row) => select.value === '' ||
        filter.of(row) === values[Number(select.value.slice(1))]);
  }

  addHead() {
    const line = add(add(this.table, 'thead'), 'tr');
    this.heads = this.columns.map((column, index) => {
      const head = add(line, 'th', null, column.kind);
      head.scope = 'col';
      const button = add(head, 'button', column.name);
      button.type = 'button';
      button.addEventListener('click', () => this.sort(index));
      return head;
    });
  }

  line(row) {
    const line = document.createElement('tr');
    this.columns.forEach((column, index) => {
      const cell = add(line, index === 0 ? 'th' : 'td', null, column.kind);
      if (index === 0) cell.scope = 'row';
      cell.dataset.name = column.name;
      if (column.fill) {
        column.fill(cell, row);
      } else {
        add(cell, 'span', (column.show || column.of)(row));
      }
    });
    return line;
  }

  textOf(row) {
    return this.columns.map((column) => `${(column.show || column.of)(row)} ${column.of(row)}`)
        .join('\n').toLowerCase();
  }

  sort(index) {
    const falling = this.sorted && this.sorted.index === index && !this.sorted.falling;
    this.sorted = {index, falling};
    this.heads.forEach((head) => head.removeAttribute('aria-sort'));
    this.heads[index].setAttribute('aria-sort', falling ? 'descending' : 'ascending');
    const {of} = this.columns[index];
    const order = (a, b) => (typeof a === 'number' && typeof b === 'number') ? a - b :
        String(a).localeCompare(String(b), 'en', {numeric: true});
    this.lines.sort((a, b) => (falling ? -1 : 1) * order(of(a.row), of(b.row)));
    this.draw();
  }

  draw() {
    const wanted = this.search ? this.search.value.trim().toLowerCase() : '';
    const found = this.lines.filter(({row, text}) => text.includes(wanted) &&
        this.filters.every((filter) => filter(row)));
    this.body.replaceChildren(...found.map(({line}) => line));
    if (this.count) {
      this.count.textContent = `${number(found.length)} of ${number(this.lines.length)} shown`;
    }
  }
}

const leftOut = (count, what) => count === 0 ? '' :
    `${number(count)} more ${count === 1 ? 'row is' : 'rows are'} not on this page; ${what}`;
