// The page's data, and how its numbers and times are said. The files of a page are one script, in
// the order in which embed.cmake names them.
'use strict';

const data = JSON.parse(document.getElementById('data').textContent);
const kMinute = 60000;  // ms
const kDay = 24 * 60 * kMinute;
const kShort = 60;  // characters of a choice
const kStates = {
  placed: 'placed', rejected: 'rejected', in_doubt: 'in doubt', invalid: 'invalid',
  under_way: 'under way', not_sent: 'not sent', not_executed: 'tried again',
};
const kHappenings = ['begun', 'placed', 'refused', 'in doubt'];

const number = (value) => value.toLocaleString('en-US');
const rate = (value) => number(Number(value.toPrecision(value < 1000 ? 3 : 4)));
const two = (value) => String(value).padStart(2, '0');

function utc(ms) {
  return new Date(ms).toISOString().replace('T', ' ').replace('Z', ' UTC');
}

const short = (text) => text.length > kShort ? `${text.slice(0, kShort)}...` : text;

// As fine as what stands beside it needs.
function clock(ms, span) {
  const at = new Date(ms);
  const day = `${two(at.getUTCMonth() + 1)}-${two(at.getUTCDate())}`;
  const minute = `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}`;
  if (span > kDay) return `${day} ${minute}`;
  if (span > 20 * kMinute) return minute;
  const second = `${minute}:${two(at.getUTCSeconds())}`;
  return span > 10000 ? second : `${second}.${Math.floor(at.getUTCMilliseconds() / 100)}`;
}

function duration(ms) {
  if (ms < 1000) return `${ms} ms`;
  if (ms < kMinute) return `${Number((ms / 1000).toPrecision(3))} s`;
  if (ms < 60 * kMinute) return `${Math.floor(ms / kMinute)} min ${Math.round(ms / 1000) % 60} s`;
  const hours = Math.floor(ms / (60 * kMinute));
  return `${hours} h ${Math.round(ms / kMinute) % 60} min`;
}
