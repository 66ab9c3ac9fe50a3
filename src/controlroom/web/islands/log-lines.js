// Draws the lines of a log: number, time, text with what was searched for, fields of structured lines.

const MOST_MARKS = 100;

export function lineElement(line, search, linked) {
  const row = document.createElement("div");
  row.className = `log-line log-${line.level}${line.line === linked ? " linked" : ""}`;
  row.dataset.stream = line.stream;
  const link = document.createElement("a");
  link.href = `#L${line.line + 1}`;
  link.dataset.line = line.line;
  link.textContent = String(line.line + 1);
  const time = document.createElement("time");
  time.dateTime = line.time;
  time.title = line.time;
  time.textContent = clock(line.time);
  const text = document.createElement("span");
  text.append(...marked(line.text, search));
  if (line.fields) text.append(fieldsElement(line.fields));
  if (line.level === "error" || line.level === "warning") text.title = line.level;
  row.append(link, time, text);
  return row;
}

function clock(time) {
  const moment = new Date(time);
  const pad = (value, length = 2) => String(value).padStart(length, "0");
  return `${pad(moment.getHours())}:${pad(moment.getMinutes())}:${pad(moment.getSeconds())}.${pad(moment.getMilliseconds(), 3)}`;
}

export function missingElement(index) {
  const row = document.createElement("div");
  row.className = "log-line log-missing";
  const number = document.createElement("a");
  number.textContent = String(index + 1);
  row.append(number, document.createElement("time"), document.createElement("span"));
  return row;
}

function marked(text, search) {
  if (!search) return [text];
  const parts = [];
  const low = text.toLowerCase();
  const words = search.toLowerCase();
  let from = 0;
  for (let at = low.indexOf(words); at >= 0 && parts.length < 2 * MOST_MARKS; at = low.indexOf(words, from)) {
    const mark = document.createElement("mark");
    mark.textContent = text.slice(at, at + words.length);
    parts.push(text.slice(from, at), mark);
    from = at + words.length;
  }
  return [...parts, text.slice(from)];
}

function fieldsElement(fields) {
  const span = document.createElement("span");
  span.className = "log-fields";
  span.textContent = `  ${Object.entries(fields).map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(" ")}`;
  return span;
}
