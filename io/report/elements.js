// Elements of the page. Texts reach it as text alone, by textContent. Nothing is loaded, stored or
// sent.

function add(parent, name, text, className) {
  const element = document.createElement(name);
  if (text !== undefined && text !== null) element.textContent = text;
  if (className) element.className = className;
  parent.append(element);
  return element;
}

const part = (id, selector) => document.querySelector(`#${id} ${selector}`);

function tile(list, name, value, className) {
  const box = add(list, 'div', null, className);
  add(box, 'dt', name);
  add(box, 'dd', value);
}

// A command to copy: it can be marked whole, and by a button where the browser has a clipboard.
function command(parent, text) {
  const line = add(parent, 'div', null, 'command');
  const code = add(line, 'code', text);
  const button = add(line, 'button', 'Copy');
  button.type = 'button';
  button.setAttribute('aria-label', `Copy: ${text}`);
  button.addEventListener('click', async () => {
    const range = document.createRange();
    range.selectNodeContents(code);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = 'Copied';
    } catch {
      button.textContent = 'Marked';
    }
    setTimeout(() => { button.textContent = 'Copy'; }, 1500);
  });
}
