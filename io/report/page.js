// Draws the page, part by part.

function drawHead() {
  const file = data.results.slice(data.results.lastIndexOf('/') + 1);
  document.title = `${file}: sagorder report`;
  document.getElementById('title').textContent = file;
  const standing = document.getElementById('standing');
  const {totals} = data;
  const left = totals.not_sent > 0 ? `${number(totals.not_sent)} rows are not sent.` :
      'Nothing is left to send.';
  add(standing, 'strong', data.running ? 'A run is going on. ' : `${left} `);
  add(standing, 'span', `As of ${utc(data.made)}. All times are UTC.`);
}

function drawTotals() {
  const parent = document.getElementById('totals');
  const {totals} = data;
  const list = add(parent, 'dl', null, 'tiles');
  tile(list, 'rows', number(totals.rows));
  const states = ['placed', 'rejected', 'in_doubt', 'under_way', 'invalid', 'not_sent'];
  for (const state of states) {
    const always = state === 'placed' || state === 'in_doubt' || state === 'rejected';
    if (always || totals[state] > 0) {
      tile(list, kStates[state], number(totals[state]), totals[state] > 0 ? state : '');
    }
  }
  if (totals.lines > 0) {
    tile(list, 'seats placed', number(totals.seats_placed));
    tile(list, 'seat-months placed', number(totals.seat_months_placed));
  }
  const share = add(parent, 'div', null, 'share');
  share.setAttribute('role', 'img');
  const shown = states.filter((state) => totals[state] > 0);
  share.setAttribute('aria-label', 'Of all rows: ' +
      shown.map((state) => `${number(totals[state])} ${kStates[state]}`).join(', '));
  for (const state of shown) {
    const piece = add(share, 'span', null, state);
    piece.style.flexGrow = String(totals[state]);
    piece.title = `${kStates[state]}: ${number(totals[state])}`;
  }
}

function drawNotes() {
  const parent = document.getElementById('notes');
  for (const note of data.notes) add(parent, 'p', note);
  if (data.go_on) {
    add(parent, 'p', 'To go on with the rows that are not sent:', 'what');
    command(parent, data.go_on);
  }
  parent.hidden = data.notes.length === 0 && !data.go_on;
}

function drawAbout() {
  const list = document.getElementById('about');
  const facts = [
    ['Results', data.results], ['Ledger', data.ledger], ['Input', data.input],
    ['Endpoint', data.endpoint], ['Batch begun', data.begun], ['Report made', utc(data.made)],
    ['sagorder', data.version],
  ];
  for (const [name, value] of facts) {
    add(list, 'dt', name);
    add(list, 'dd', value);
  }
}

drawHead();
drawTotals();
drawNotes();
drawDoubts();
drawPaces();
drawLatency();
drawCodes();
drawRefused();
drawRegions();
drawRuns();
drawAbout();
