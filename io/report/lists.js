// The tables of rows, codes, regions and runs.

const rowColumn = {name: 'Row', of: (row) => row.row, kind: 'number',
  show: (row) => String(row.row)};
const regionColumn = {name: 'RegionId', of: (row) => row.region, kind: 'short'};
const seatsColumn = {name: 'UserCount', of: (row) => row.seats, kind: 'number'};
const periodColumn = {name: 'Period', of: (row) => row.period, kind: 'number'};
const codeColumn = {name: 'Code', of: (row) => row.code, kind: 'short'};
const messageColumn = {name: 'Message', of: (row) => row.message, kind: 'long'};
const httpColumn = {name: 'HttpStatus', of: (row) => row.http, kind: 'number',
  show: (row) => row.http ? String(row.http) : 'none'};

function drawDoubts() {
  const {rows, left_out: more} = data.doubts;
  document.getElementById('doubts').hidden = rows.length === 0;
  command(part('doubts', '.reconcile'), data.reconcile);
  const orderOf = (row) => row.region === '' ? 'its line is not in the results' :
      `${row.region}, ${row.seats} seats, ${row.period} months`;
  const known = (row) => [row.message, row.evidence, row.request_id].join(' ');
  new Table(part('doubts', '.table'), [
    rowColumn,
    {name: 'Order', of: orderOf, kind: 'short'},
    {name: 'Attempt begun', of: (row) => row.begun || 0, kind: 'time',
      show: (row) => row.begun ? utc(row.begun) : 'not known'},
    codeColumn,
    {name: 'What is known, and what to do', of: known, kind: 'long wide', fill: (cell, row) => {
      add(cell, 'p', row.message, 'what');
      if (row.request_id) add(cell, 'p', `RequestId ${row.request_id}`, 'evidence');
      if (row.evidence) add(cell, 'p', `The answer began: ${row.evidence}`, 'evidence');
      command(cell, `${data.resolve} --row ${row.row} --placed ORDERID`);
      command(cell, `${data.resolve} --row ${row.row} --not-placed --because 'what shows it'`);
    }},
  ], rows, {
    caption: 'Rows in doubt', search: 'row, region, code or words', cards: true,
    filters: [{name: 'Code', of: (row) => row.code}],
    leftOut: leftOut(more, `${data.status} lists them all`),
  });
}

const kindColumn = {name: 'Then', of: (row) => kStates[row.kind], kind: 'kind',
  fill: (cell, row) => add(cell, 'span', kStates[row.kind], `${row.kind}-text`)};

function drawCodes() {
  const {rows, left_out: more} = data.codes;
  new Table(part('codes', '.table'), [
    codeColumn, kindColumn,
    {name: 'Times', of: (row) => row.answers, show: (row) => number(row.answers), kind: 'number'},
    {...httpColumn, name: 'HttpStatus'},
    {name: 'Example: row', of: (row) => row.row, show: (row) => String(row.row), kind: 'number'},
    {...messageColumn, name: 'Its message'},
  ], rows, {
    caption: 'Errors by code', search: 'code or words', cards: true,
    filters: [{name: 'Then', of: (row) => kStates[row.kind]}],
    none: 'No attempt ended with a code.',
    leftOut: more === 0 ? '' : `${number(more)} more, of rarer codes, are not on this page.`,
  });
}

function drawRefused() {
  const rows = [...data.rejected.rows, ...data.invalid.rows].sort((a, b) => a.row - b.row);
  new Table(part('refused', '.table'), [
    rowColumn,
    {name: 'Status', of: (row) => kStates[row.state], kind: 'kind',
      fill: (cell, row) => add(cell, 'span', kStates[row.state], `${row.state}-text`)},
    regionColumn, seatsColumn, periodColumn, codeColumn, messageColumn,
    {name: 'RequestId', of: (row) => row.request_id, kind: 'short'},
  ], rows, {
    caption: 'Rows that were rejected or invalid', search: 'row, region, code or words',
    cards: true,
    filters: [
      {name: 'Status', of: (row) => kStates[row.state]}, {name: 'Code', of: (row) => row.code},
      {name: 'RegionId', of: (row) => row.region},
    ],
    none: 'None.',
    leftOut: leftOut(data.rejected.left_out + data.invalid.left_out, 'the results have them all.'),
  });
}

function drawRegions() {
  const counted = (name, key) => ({
    name, of: (row) => row[key], show: (row) => number(row[key]), kind: 'number',
  });
  new Table(part('regions', '.table'), [
    regionColumn, counted('placed', 'placed'), counted('rejected', 'rejected'),
    counted('in doubt', 'in_doubt'), counted('invalid', 'invalid'),
    counted('seats placed', 'seats'), counted('seat-months placed', 'seat_months'),
  ], data.regions.rows, {
    caption: 'Regions', none: 'The results have no line yet.',
    search: data.regions.rows.length > 5 ? 'region' : '', cards: true,
  });
}

function drawRuns() {
  const counted = (name, what) => ({
    name, of: (run) => run.counts[what], show: (run) => number(run.counts[what]), kind: 'number',
  });
  new Table(part('runs', '.table'), [
    {name: 'Begun (UTC)', of: (run) => run.begin, show: (run) => utc(run.begin), kind: 'time'},
    {name: 'Took', of: (run) => run.last - run.begin, kind: 'number',
      show: (run) => duration(Math.max(run.last - run.begin, 0))},
    {name: 'Limit', of: (run) => run.per_second || 0, show: (run) => run.limit || 'not recorded',
      kind: 'number'},
    counted('attempts', 0), counted('placed', 1), counted('refused', 2), counted('in doubt', 3),
  ], data.runs, {caption: 'Runs', none: 'No run has sent anything yet.', cards: true});
  if (data.totals.resolved > 0) {
    add(part('runs', '.table'), 'p',
        `${number(data.totals.resolved)} times an operator said what became of a row.`, 'left-out');
  }
}
