'use strict';
/* Fetches the page anew, takes over what has changed, and draws charts. What came from clients is
   never made markup here: the server has escaped it, and elements are moved, not written. */
(() => {
const REFRESH = 5000, PATIENCE = 10000, SPAN = 3600;
const LEFT = 52, RIGHT = 10, TOP = 8, BOTTOM = 20;
const $ = (id, root = document) => root.getElementById(id);

const count = v => v >= 100 ? Math.round(v).toLocaleString('en') : String(+v.toFixed(v < 10 ? 2 : 1));
const duration = v => v === 0 ? '0' : v < 999500 ? +(v / 1000).toPrecision(3) + ' ms' : +(v / 1e6).toPrecision(3) + ' s';
const clock = (t, seconds) => new Date(t * 1000).toLocaleTimeString('en-GB', seconds ? {} : {hour: '2-digit', minute: '2-digit'});

/* Of a chart: [name, colour, value of a sample, class of the line, filled below]. */
const CHARTS = {
  requests: {format: count, series: [['requests/s', 0, s => s.rate, '', true], ['errors/s', 2, s => s.errors, '']]},
  workers: {format: count, whole: true, series: [['active', 0, s => s.active, '', true], ['idle', 1, s => s.idle, ''], ['pm.max_children', 3, s => s.max, 'dash']]},
  queue: {format: count, whole: true, series: [['waiting', 5, s => s.queued, '', true]]},
  latency: {format: duration, series: [['p50', 0, s => s.p50, ''], ['p95', 4, s => s.p95, ''], ['p99', 5, s => s.p99, '']]},
};

/* ---- samples: those of the server, else our own ---- */

let own = [], before = null, samples = [], pointed = null; /* pointed: a time */

const sample = (time, step, requests, errors, active, idle, queued, max, p50, p95, p99) => ({
  time, step, rate: requests / step, errors: errors / step, active, idle, queued, max,
  p50: requests ? p50 : null, p95: requests ? p95 : null, p99: requests ? p99 : null,
});

function ofServer(text) {
  let time = 0;
  return text.split(';').filter(Boolean).map(line => {
    const [distance, step, ...rest] = line.split(',').map(Number);
    time += distance;
    return sample(time, Math.max(step, 1) / 1000, ...rest);
  });
}

function percentile(buckets, bounds, p) {
  const wanted = buckets.reduce((a, b) => a + b, 0) * p / 100;
  let below = 0;
  for (let i = 0; i < buckets.length; i++) {
    const from = i ? bounds[i - 1] : 0, to = i < bounds.length ? bounds[i] : from;
    if (buckets[i] && below + buckets[i] >= wanted)
      return from + (to - from) * (wanted - below) / buckets[i];
    below += buckets[i];
  }
  return 0;
}

function take(data) {
  const numbers = name => data.getAttribute('data-' + name).split(',').map(Number);
  const [usec, answered, errors, active, idle, queued, max, started] = numbers('now');
  const now = {time: usec / 1e6, answered, errors, started, buckets: numbers('buckets')};
  if (before && before.started === started && now.time > before.time + 0.5 && answered >= before.answered) {
    const step = now.time - before.time, bounds = numbers('bounds');
    const buckets = now.buckets.map((n, i) => Math.max(n - before.buckets[i], 0));
    own.push(sample(now.time, step, answered - before.answered, Math.max(errors - before.errors, 0),
      active, idle, queued, max, ...[50, 95, 99].map(p => percentile(buckets, bounds, p))));
    own = own.filter(s => s.time > now.time - SPAN);
  }
  if (!before || now.time > before.time + 0.5 || before.started !== started)
    before = now;
  const theirs = ofServer(data.getAttribute('data-samples'));
  samples = (theirs.length > 1 ? theirs : own).filter(s => s.time > now.time - SPAN);
}

/* ---- charts ---- */

function svg(parent, name, attributes, text) {
  const e = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const key in attributes)
    e.setAttribute(key, attributes[key]);
  if (text !== undefined)
    e.textContent = text;
  return parent.appendChild(e);
}

/* 1, 2 or 5 times a power of ten: the distance of the lines of the grid. */
function niceStep(most, lines, whole) {
  const raw = most / lines, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].find(n => n * power >= raw * 0.999) * power;
  return whole ? Math.max(step, 1) : step;
}

function points(value, x, y) {
  const parts = [];
  let part = null, last = 0;
  for (const s of samples) {
    const v = value(s);
    if (v === null) {
      part = null;
      continue;
    }
    if (!part || s.time - last > 3 * s.step + 2)
      parts.push(part = []);
    part.push([x(s.time).toFixed(1), y(v).toFixed(1)]);
    last = s.time;
  }
  return parts;
}

function nearest(time) {
  return samples.reduce((best, s) => best && Math.abs(best.time - time) <= Math.abs(s.time - time) ? best : s, null);
}

function legend(figure, chart) {
  const shown = pointed === null ? samples[samples.length - 1] : nearest(pointed);
  const p = figure.querySelector('.legend');
  p.replaceChildren();
  if (pointed !== null && shown)
    p.append(clock(shown.time, true));
  for (const [name, colour, value] of chart.series) {
    const item = document.createElement('span'), mark = document.createElement('i'), b = document.createElement('b');
    const v = shown ? value(shown) : null;
    mark.className = 'c' + colour;
    b.textContent = v === null ? '' : ' ' + chart.format(v);
    item.append(mark, name, b);
    p.append(item);
  }
}

function draw(figure) {
  const chart = CHARTS[figure.dataset.chart], plot = figure.querySelector('.plot');
  const width = plot.clientWidth, height = plot.clientHeight;
  const root = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  if (width < 100)
    return;
  root.setAttribute('role', 'img');
  root.setAttribute('aria-label', figure.querySelector('h2').textContent);
  legend(figure, chart);
  plot.replaceChildren(root);
  if (samples.length < 2) {
    svg(root, 'text', {class: 'empty', x: width / 2, y: height / 2}, 'The first samples come in some seconds.');
    return;
  }
  const end = samples[samples.length - 1].time, begin = Math.min(Math.max(samples[0].time, end - SPAN), end - 300);
  const most = Math.max(...samples.flatMap(s => chart.series.map(([, , value]) => value(s) ?? 0))) || 1;
  const step = niceStep(most, 4, chart.whole), top = Math.ceil(most / step - 1e-9) * step;
  const x = t => LEFT + (width - LEFT - RIGHT) * (t - begin) / (end - begin);
  const y = v => height - BOTTOM - (height - TOP - BOTTOM) * v / top;
  for (let i = 0; i <= Math.round(top / step); i++) {
    const at = Math.round(y(i * step)) + 0.5;
    svg(root, 'line', {class: 'grid', x1: LEFT, x2: width - RIGHT, y1: at, y2: at});
    svg(root, 'text', {class: 'y', x: LEFT - 8, y: at}, chart.format(i * step));
  }
  const minutes = [1, 2, 5, 10, 15, 20, 30].find(n => (end - begin) / 60 / n <= (width - LEFT) / 70) || 30;
  for (let t = Math.ceil(begin / 60 / minutes) * 60 * minutes; t <= end; t += 60 * minutes)
    if (x(t) > LEFT + 14 && x(t) < width - RIGHT - 14) {
      svg(root, 'line', {class: 'grid', x1: x(t), x2: x(t), y1: height - BOTTOM, y2: height - BOTTOM + 4});
      svg(root, 'text', {class: 'x', x: x(t), y: height - 5}, clock(t));
    }
  for (const [, colour, value, style, filled] of [...chart.series].reverse())
    for (const part of points(value, x, y)) {
      const path = 'M' + part.map(p => p.join(',')).join('L');
      if (filled)
        svg(root, 'path', {class: 'area c' + colour, d: `${path}L${part[part.length - 1][0]},${y(0)}L${part[0][0]},${y(0)}Z`});
      svg(root, 'path', {class: `line ${style} c${colour}`, d: part.length > 1 ? path : path + 'h.1'});
    }
  if (pointed !== null) {
    const at = x(nearest(pointed).time);
    svg(root, 'line', {class: 'cursor', x1: at, x2: at, y1: TOP, y2: height - BOTTOM});
  }
  plot.timeAt = px => begin + (px - LEFT) / (width - LEFT - RIGHT) * (end - begin);
}

const figures = [...document.querySelectorAll('[data-chart]')];
const drawAll = () => figures.forEach(draw);

function point(event) {
  const plot = event.currentTarget;
  if (!plot.timeAt || samples.length < 2)
    return;
  pointed = plot.timeAt(event.clientX - plot.getBoundingClientRect().left);
  drawAll();
}

/* ---- refreshing ---- */

let paused = false, timer = 0, busy = false, fresh = Date.now();

/* What somebody is marking stays as it is until the next time. */
function isSelected(element) {
  const selection = getSelection();
  return !selection.isCollapsed && selection.rangeCount && selection.getRangeAt(0).intersectsNode(element);
}

function takeOver(page) {
  const data = $('data', page);
  if (!data)
    throw new Error('something else was answered');
  for (const element of document.querySelectorAll('[data-live]')) {
    const other = $(element.id, page);
    if (other && other.innerHTML !== element.innerHTML && !isSelected(element))
      element.replaceChildren(...[...other.childNodes].map(n => document.adoptNode(n)));
  }
  document.title = page.title;
  take(data);
  drawAll();
}

function tell(problem) {
  $('stale').hidden = !problem;
  $('stale').textContent = problem || '';
  $('when').textContent = `${paused ? 'Paused at' : 'Refreshed at'} ${clock(fresh / 1000, true)}`;
}

async function refresh() {
  clearTimeout(timer);
  if (paused || busy || document.hidden)
    return;
  busy = true;
  try {
    const answer = await fetch(location.href, {cache: 'no-store', signal: AbortSignal.timeout(PATIENCE)});
    if (!answer.ok)
      throw new Error(`the server says ${answer.status}`);
    takeOver(new DOMParser().parseFromString(await answer.text(), 'text/html'));
    /* The porter's, where the manager has not answered it. */
    const age = Number(answer.headers.get('X-Fpmd-Snapshot-Age') || 0);
    fresh = Date.now() - age * 1000;
    tell(age && `The manager of the pool does not answer. These are the figures of ${clock(fresh / 1000, true)}.`);
  } catch (error) {
    const reason = error.name === 'TimeoutError' ? 'no answer in time' : error.message;
    tell(`Not refreshed since ${clock(fresh / 1000, true)}: ${reason}. Trying again.`);
  }
  busy = false;
  clearTimeout(timer);
  if (!paused)
    timer = setTimeout(refresh, REFRESH);
}

$('pause').addEventListener('click', () => {
  paused = !paused;
  $('pause').textContent = paused ? 'Go on' : 'Pause';
  tell();
  refresh();
});
document.addEventListener('visibilitychange', refresh);
for (const figure of figures) {
  const plot = figure.querySelector('.plot');
  plot.addEventListener('pointermove', point);
  plot.addEventListener('pointerdown', point);
  plot.addEventListener('pointerleave', () => { pointed = null; drawAll(); });
}

$('controls').hidden = $('charts').hidden = false;
if ($('past'))
  $('past').open = false;
take($('data'));
new ResizeObserver(drawAll).observe($('charts'));
drawAll();
tell();
timer = setTimeout(refresh, REFRESH);
})();
