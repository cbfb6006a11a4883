// Query strings, `a=1&b=x%20y`.

/** The first value of a parameter, decoded; "" where there is none or its encoding is broken. */
export function parameterOf(query: string, name: string): string {
  const pairs = query.split("&");
  for (let i = 0; i < pairs.length; i++) {
    const equals = pairs[i].indexOf("=");
    if (equals >= 0 && pairs[i].substring(0, equals) == name) return decoded(pairs[i].substring(equals + 1));
  }
  return "";
}

function decoded(text: string): string {
  const bytes = String.UTF8.encode(text);
  const source = Uint8Array.wrap(bytes);
  const result = new Uint8Array(source.length);
  let length = 0;
  for (let i = 0; i < source.length; i++) {
    let byte: i32 = source[i];
    if (byte == 0x2b) byte = 0x20;
    else if (byte == 0x25) {
      if (i + 2 >= source.length) return "";
      const high = hexDigit(source[i + 1]);
      const low = hexDigit(source[i + 2]);
      if (high < 0 || low < 0) return "";
      byte = (high << 4) | low;
      i += 2;
    }
    result[length++] = <u8>byte;
  }
  return String.UTF8.decodeUnsafe(result.dataStart, length);
}

function hexDigit(code: i32): i32 {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  if (code >= 0x41 && code <= 0x46) return code - 0x37;
  if (code >= 0x61 && code <= 0x66) return code - 0x57;
  return -1;
}
