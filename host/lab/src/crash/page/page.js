'use strict';
(() => {
const data = JSON.parse(document.getElementById('data').textContent);
const MODELS = {
  process: 'All of them. The process was killed, and the machine lives.',
  ordered: 'Changes of names in the order in which they were made, up to some moment; changes of content in any choice. Near to a journaling filesystem.',
  any: 'Any choice of them that makes sense: a name cannot go before it came.',
  split: 'As any, and a rename from one directory to another may be done by half.',
  lying: 'As any, and no sync does anything. Nothing can hold here; it shows that violations are found.',
};

// Makes an element: attributes and handlers by name, then children, of which text is escaped.
function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(name, '');
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children.flat().filter(child => child != null));
  return made;
}
const number = value => value.toLocaleString('en-US');
const plural = (count, one, many) => `${number(count)} ${count === 1 ? one : many || one + 's'}`;
const share = (part, all) => all === 0 ? '100 %' : `${(Math.floor(1000 * part / all) / 10).toFixed(part === all ? 0 : 1)} %`;
const rowName = row => row.model + (row.torn ? ', torn' : '');

// Whether the operation is to leave everything as it is.
const keeps = operation => operation.stages.length > 1 && operation.stages.every(stage => stage === operation.stages[0]);

// What an image counts as, in words: a check lets it pass, or it is one of the states.
const named = (operation, what) => operation.checked && what === 'new' ? 'passed the check' : KINDS[what];

// Whether what was there before counts as new, since the promise is weaker than that of others.
const weak = operation => operation.stages.length > 1 && !keeps(operation) && operation.models.some(row => row.new[0] > 0);

function kind(operation, row, point) {
  if (row.broken[point] > 0) return 'bad';
  if (row.old[point] > 0 && row.new[point] > 0) return 'mixed';
  if (row.old[point] > 0) return 'old';
  if (row.new[point] === 0) return 'none';
  if (keeps(operation)) return 'same';
  return weak(operation) ? 'weak' : 'new';
}
const KINDS = { old: 'old', new: 'new', mixed: 'old or new', same: 'unchanged', weak: 'allowed', bad: 'violation', none: 'not recovered' };

function figures(list, pairs) {
  list.replaceChildren(...pairs.map(([name, value]) => el('div', {}, el('dt', {}, name), el('dd', {}, value))));
  return list;
}

// The model that allows most: of those tried the last that loses power.
const harshest = operation => operation.models[operation.models.length - 1];

const brokenIn = operation => operation.totals.violations + (operation.faults ? operation.faults.violations_total : 0);

function head() {
  const totals = data.totals;
  const broken = totals.violations + totals.fault_violations;
  const verdict = document.getElementById('verdict');
  verdict.classList.toggle('broken', broken > 0);
  const faults = data.trial.faults ? ` and ${plural(totals.faults, 'injected fault')}` : '';
  const guilty = data.operations.filter(operation => brokenIn(operation) > 0).map(operation => el('a', { href: `#${operation.name}` }, operation.name));
  verdict.replaceChildren(...(broken === 0
    ? [`No violation: ${plural(totals.unique, 'different image')} of a crash${faults}, and each came back whole.`]
    : [`${plural(broken, 'violation')}, in `, ...guilty.flatMap((link, at) => at ? [', ', link] : [link]), '.']));
  figures(document.getElementById('totals'), [
    ['operations', number(totals.operations)],
    ['crash points', number(totals.points)],
    ['raw images', number(totals.raw)],
    ['unique images, each recovered', number(totals.unique)],
    ['points tried exhaustively', share(totals.windows_exhaustive, totals.windows)],
    ['recovered as old', number(totals.old)],
    ['recovered as new', number(totals.new)],
    ...(data.trial.faults ? [['faults injected', number(totals.faults)], ['violations by faults', number(totals.fault_violations)]] : []),
    ['violations', number(totals.violations)],
  ]);
  const models = data.trial.models.flatMap(model => [el('dt', {}, model), el('dd', {}, MODELS[model] || '')]);
  if (data.trial.depth === 'full') {
    models.push(el('dt', {}, 'torn'), el('dd', {}, 'Besides, every 512 bytes of a write reach the disk or not, and where a length came without its data there is garbage.'));
  }
  document.getElementById('models').replaceChildren(...models);
}

function overview() {
  const faults = data.trial.faults;
  const right = (text, more) => el('td', { class: `number ${more || ''}` }, text);
  const names = ['operation', 'what it does', 'a crash after each step', 'points', 'raw images', 'unique', 'old', 'new'];
  const columns = [...names, ...(faults ? ['faults'] : []), 'violations'];
  const header = columns.map((name, at) => el('th', { scope: 'col', class: at > 2 ? 'number' : '' }, name));
  const line = (first, about, totals, injected, broken, strip, sum) => el('tr', { class: sum ? 'sum' : null },
    el('td', {}, first), el('td', { class: 'aside what' }, about), el('td', {}, strip), right(number(totals.points)), right(number(totals.raw)),
    right(number(totals.unique)), right(number(totals.old)), right(number(totals.new)),
    faults ? right(number(injected)) : null, right(number(broken), broken ? 'broken-count' : ''));
  const rows = data.operations.map(operation => {
    const row = harshest(operation);
    const points = row ? row.raw.map((_, point) => el('i', { class: kind(operation, row, point) })) : [];
    const link = el('a', { href: `#${operation.name}` }, operation.name);
    const found = operation.faults;
    return line(link, operation.about, operation.totals, found ? found.injected : 0, brokenIn(operation), el('div', { class: 'strip', 'aria-hidden': 'true' }, points));
  });
  const totals = data.totals;
  rows.push(line('all', '', totals, totals.faults, totals.violations + totals.fault_violations, '', true));
  document.getElementById('overview').replaceChildren(el('thead', {}, el('tr', {}, header)), el('tbody', {}, rows));
}

// The last components of the paths of a call: the head of a column has little room.
function brief(rest) {
  const kept = rest.includes(' -> ') ? 1 : 2;
  const cut = path => path.split('/').slice(-kept).join('/');
  return rest.split(' -> ').map(cut).join(' → ');
}
function call(text) {
  const space = text.indexOf(' ');
  return space < 0 ? [text, ''] : [text.slice(0, space), text.slice(space + 1)];
}

function picture(operation, show) {
  const points = operation.acknowledged.length;
  const is = (list, point) => point > 0 && list.includes(point - 1);
  const side = point => is(operation.syncs, point) ? 'after-sync' : '';
  const steps = operation.steps.map((text, step) => {
    const [verb, rest] = call(text);
    const at = step + 1;
    const marks = `${is(operation.syncs, at) ? 'syncs' : ''} ${is(operation.commits, at) ? 'commits' : ''} ${side(at)}`;
    return el('th', { scope: 'col', class: marks, title: `step ${at}: ${text}` }, el('span', {}, el('b', {}, verb), ' ', brief(rest)));
  });
  const start = el('th', { scope: 'col', title: 'before the first step' }, el('span', { class: 'start' }, 'before the first step'));
  const signs = operation.acknowledged.map((count, point) => {
    const told = point > 0 && count > operation.acknowledged[point - 1];
    const sign = is(operation.commits, point) ? 'commit' : told ? 'told' : '';
    const both = is(operation.commits, point) && told ? el('span', { class: 'sign told' }) : null;
    const title = sign === 'commit' ? 'commit point' : sign === 'told' ? 'acknowledged' : null;
    return el('td', { class: side(point), title }, sign ? el('span', { class: `sign ${sign}` }) : null, both);
  });
  const rows = operation.models.map((row, which) => el('tr', {},
    el('th', { scope: 'row' }, rowName(row), row.totals.violations ? el('span', { class: 'broken-count' }, ` ✕ ${number(row.totals.violations)}`) : null),
    row.raw.map((_, point) => {
      const what = kind(operation, row, point);
      const where = point === 0 ? 'before the first step' : `after step ${point}, ${operation.steps[point - 1]}`;
      const label = `${rowName(row)}, crash ${where}: ${named(operation, what)}, ${plural(row.unique[point], 'unique image')}`;
      const classes = `cell ${what} ${row.exhaustive[point] ? '' : 'sampled'}`;
      const button = el('button', { class: classes, type: 'button', title: label, 'aria-label': label, 'aria-pressed': 'false', tabindex: which + point ? -1 : 0 });
      button.addEventListener('click', () => show(button, row, point));
      return el('td', { class: side(point) }, button);
    })));
  const most = harshest(operation);
  const height = point => 2 + 36 * Math.log2(most.unique[point]) / Math.max(4, Math.log2(Math.max(...most.unique)));
  const bars = Array.from({ length: points }, (_, point) =>
    el('td', { class: side(point), title: `${plural(most.unique[point], 'unique image')} under ${rowName(most)}` }, el('i', { style: `height:${height(point).toFixed(1)}px` })));
  const counts = Array.from({ length: points }, (_, point) => el('td', { class: side(point) }, String(most.unique[point])));
  const table = el('table', { class: 'picture' },
    el('thead', {}, el('tr', { class: 'steps' }, el('td'), start, steps), el('tr', { class: 'signs' }, el('td'), signs)),
    el('tbody', {}, rows,
      el('tr', { class: 'bars' }, el('th', { scope: 'row' }, 'unique images'), bars),
      el('tr', { class: 'numbers' }, el('th', { scope: 'row' }, `under ${rowName(most)}`), counts)));
  table.addEventListener('keydown', event => walk(event, points));
  return table;
}

// Arrow keys go from cell to cell.
function walk(event, points) {
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: points, ArrowUp: -points }[event.key];
  const cells = [...event.currentTarget.querySelectorAll('button')];
  const next = cells[cells.indexOf(event.target) + step];
  if (!step || !next) return;
  event.preventDefault();
  next.focus();
}

const lines = tree => tree.split('\n').filter(line => line !== '');
// A line without the number of its file: one name less changes the numbers of others.
const plain = line => line.replace(/ #\d+(?= \[)/, '');

// A tree, with the lines marked that are not in the other.
function printed(tree, other, mark) {
  const known = new Set(lines(other).map(plain));
  return el('pre', {}, lines(tree).map(line => el('span', { class: known.has(plain(line)) ? null : mark }, line)));
}

function image(operation, row, point, [outcome, tree, result]) {
  const before = operation.trees[tree];
  const after = result == null ? null : operation.trees[result];
  const left = (other, mark) => el('div', {}, el('h5', {}, 'what the crash left'), printed(before, other, mark));
  const made = after == null ? null : el('div', {},
    el('h5', {}, `what recovery made of it${before === after ? ' (there was nothing to do)' : ''}`), printed(after, before, 'come'));
  const title = (mark, text) => el('p', {}, el('span', { class: `cell ${mark}`, 'aria-hidden': 'true' }), el('b', {}, text));
  if (outcome === 'violation') {
    const known = row.violations.find(violation => violation.image === before);
    return el('div', { class: 'image' }, title('bad', known ? known.text : 'violates the promise'),
      el('div', { class: 'trees' }, left(after || before, 'gone'), made));
  }
  const [text, mark] = came(operation, point, outcome, result);
  return el('div', { class: 'image' }, title(mark, text), el('div', { class: 'trees' }, left(after || before, 'gone'), made));
}

// What to call the result of an image. Where a promise is weaker, more than one state counts as new.
function came(operation, point, outcome, result) {
  if (operation.checked) return ['passed the check', 'new'];
  if (outcome === 'old') return ['came back as old', 'old'];
  if (keeps(operation)) return ['came back unchanged', 'same'];
  const done = operation.acknowledged[point];
  const stage = which => operation.stages[Math.min(which, operation.stages.length - 1)];
  if (result == null || result === stage(done + 1)) return ['came back as new', 'new'];
  if (operation.stages.includes(result)) return ['came back as old, which is allowed here', 'old'];
  return ['came back as something that counts as new here', 'new'];
}

function detail(operation, row, point) {
  const where = point === 0 ? ['before the first step'] : [`after step ${point}: `, el('code', {}, operation.steps[point - 1])];
  const list = figures(el('dl', { class: 'figures' }), [
    ['changes not synced', number(row.pending[point])],
    ['raw images', number(row.raw[point])],
    ['unique images', number(row.unique[point])],
    ['tried', row.exhaustive[point] ? 'all' : 'a part'],
    ...(operation.checked ? [] : [['came back as old', number(row.old[point])]]),
    [operation.checked ? 'passed the check' : weak(operation) ? 'came back as what is allowed' : 'came back as new', number(row.new[point])],
    ['violations', number(row.broken[point])],
  ]);
  const images = row.shown[point];
  const rest = row.unique[point] - images.length;
  const more = rest <= 0 ? null : el('p', { class: 'note' }, images.length === 0 ? 'Its images are left out, to keep this page small.' : `And ${plural(rest, 'more image')}, recovered in the same way.`);
  return el('div', { class: 'detail' }, el('h4', {}, `A crash under ${rowName(row)}, `, ...where), list,
    images.map(shown => image(operation, row, point, shown)), more);
}

function violations(operation) {
  const cases = operation.models.flatMap(row => row.violations.map(found => el('div', { class: 'case' },
    el('b', {}, `${rowName(row)}: ${found.text}`), el('ol', {}, found.path.map(step => el('li', {}, step))),
    found.image ? el('pre', {}, found.image) : null,
    found.after ? [el('p', { class: 'note' }, 'how the result differs from the old state:'), el('pre', {}, found.after)] : null)));
  const faults = operation.faults ? operation.faults.violations : [];
  return cases.concat(faults.map(found => el('div', { class: 'case' }, el('b', {}, `fault: ${found.text}`),
    el('ol', {}, found.faults.map(step => el('li', {}, step))), found.detail ? el('pre', {}, found.detail) : null)));
}

const weaker = operation => !operation.checked && operation.models.some(row => row.shown.some((images, point) => images.some(
  ([outcome, , result]) => outcome === 'new' && came(operation, point, outcome, result)[0] !== 'came back as new')));

function notes(operation) {
  const totals = operation.totals;
  const kinds = `${plural(totals.raw, 'raw image')}, ${number(totals.unique)} unique, ${share(totals.windows_exhaustive, totals.windows)} of the points tried exhaustively, ${plural(totals.kills, 'kill')} followed by a recovery and a loss of power.`;
  const told = [el('p', { class: 'note' }, `Crashes in recovery included: ${kinds}`)];
  if (totals.violations > operation.models.flatMap(row => row.broken).reduce((sum, broken) => sum + broken, 0)) {
    told.push(el('p', { class: 'note' }, 'Violations after a crash in recovery are in the counts beside the models, not in the cells.'));
  }
  if (keeps(operation)) {
    told.push(el('p', { class: 'note' }, 'It is to leave everything as it is: old and new are the same here.'));
  } else if (operation.stages.length === 1) {
    told.push(el('p', { class: 'note' }, 'There is one state that is right from the first step on; it is shown as new.'));
  } else if (weak(operation)) {
    told.push(el('p', { class: 'note' }, 'It promises less than the others, so what was there before is allowed as well; the images behind the cells show what came.'));
  } else if (weaker(operation)) {
    told.push(el('p', { class: 'note' }, 'More than one state counts as new here; the images behind the cells show which came.'));
  }
  if (!operation.complete) {
    told.push(el('p', { class: 'note' }, 'Crashes of recoveries were not followed to the end: there is always something new.'));
  }
  const found = operation.faults;
  if (found) {
    told.push(el('p', { class: 'note' }, `Faults: ${number(found.injected)} injected, in ${plural(found.operations, 'run')} of the operation (${number(found.acknowledged)} succeeded, ${number(found.not_committed)} said that nothing changed, ${number(found.needs_recovery)} that recovery completes it, ${number(found.outcome_unknown)} that the outcome is unknown, ${number(found.unclassified)} nothing) and ${plural(found.recoveries, 'run')} of recovery; ${plural(found.images, 'image')} of a crash after it; ${plural(found.violations_total, 'violation')}.`));
  }
  return told;
}

function section(operation) {
  const place = el('div', { 'aria-live': 'polite' });
  let open = null;
  const show = (button, row, point) => {
    if (open) open.setAttribute('aria-pressed', 'false');
    const same = open === button;
    open = same ? null : button;
    if (open) open.setAttribute('aria-pressed', 'true');
    place.replaceChildren(...(same ? [] : [detail(operation, row, point)]));
  };
  const drawn = operation.models.length === 0
    ? el('p', { class: 'note' }, 'It promises nothing under the models that were tried.')
    : el('div', { class: 'scroll' }, picture(operation, show));
  return el('section', { class: 'operation', id: operation.name }, el('h3', {}, operation.name),
    el('p', { class: 'about' }, operation.about), drawn, place, notes(operation), violations(operation));
}

head();
overview();
document.getElementById('operations').replaceChildren(...data.operations.map(section));
})();
