// As much of JSON as a greeting needs: one short text field of an object, and a text written as JSON.

/** More of a text is not read; no text of a greeting is longer. */
const maxTextLength = 2048;

/** The text of a field of the outermost object; "" where there is none, or it is not a text. */
export function fieldOf(json: string, name: string): string {
  let depth = 0;
  for (let i = 0; i < json.length; i++) {
    const code = json.charCodeAt(i);
    if (code == 0x7b || code == 0x5b) depth++;
    else if (code == 0x7d || code == 0x5d) depth--;
    else if (code == 0x22) {
      const end = closingQuote(json, i);
      if (end < 0) return "";
      const colon = skipSpace(json, end + 1);
      const isKey = colon < json.length && json.charCodeAt(colon) == 0x3a;
      if (isKey && depth == 1 && end - i <= maxTextLength && unescaped(json.substring(i + 1, end)) == name) return textAt(json, colon + 1);
      i = end;
    }
  }
  return "";
}

/** A text as JSON, quotes included; nothing in it can end the quotes. */
export function quoted(text: string): string {
  let result = '"';
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code == 0x22 || code == 0x5c) result += "\\" + String.fromCharCode(code);
    else if (code < 0x20 || code == 0x7f) result += "\\u" + code.toString(16).padStart(4, "0");
    else result += String.fromCharCode(code);
  }
  return result + '"';
}

function textAt(json: string, from: i32): string {
  const start = skipSpace(json, from);
  if (start >= json.length || json.charCodeAt(start) != 0x22) return "";
  const end = closingQuote(json, start);
  return end < 0 ? "" : unescaped(json.substring(start + 1, min(end, start + 1 + maxTextLength)));
}

/** Where the text that begins at `open` ends; -1 where it does not. */
function closingQuote(json: string, open: i32): i32 {
  for (let i = open + 1; i < json.length; i++) {
    const code = json.charCodeAt(i);
    if (code == 0x5c) i++;
    else if (code == 0x22) return i;
  }
  return -1;
}

function skipSpace(json: string, from: i32): i32 {
  let i = from;
  while (i < json.length && json.charCodeAt(i) <= 0x20) i++;
  return i;
}

function unescaped(text: string): string {
  let result = "";
  for (let i = 0; i < text.length; i++) {
    let code = text.charCodeAt(i);
    if (code == 0x5c && i + 1 < text.length) {
      code = text.charCodeAt(++i);
      if (code == 0x6e) code = 0x0a;
      else if (code == 0x74) code = 0x09;
      else if (code == 0x72) code = 0x0d;
      else if (code == 0x62) code = 0x08;
      else if (code == 0x66) code = 0x0c;
      else if (code == 0x75) {
        code = i + 4 < text.length ? <i32>parseInt(text.substring(i + 1, i + 5), 16) : 0xfffd;
        i += 4;
      }
    }
    result += String.fromCharCode(code);
  }
  return result;
}
