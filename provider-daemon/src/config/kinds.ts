/** Kinds of settings: how a value is read from TOML or from a text, and written back. */
import { isDenom } from '@mu/lib/amounts';
import { Dec } from '@mu/lib/dec';

/** One kind of value. */
export interface Kind<T> {
  /** What is allowed, in words, for errors and comments. */
  readonly form: string;
  /** The value of what TOML, or `fromText`, gave; undefined where it is not of the form. */
  readonly read: (value: unknown) => T | undefined;
  /** What TOML would have given for a text of the environment or the command line; undefined where it is none. */
  readonly fromText: (text: string) => unknown;
  /** The value in TOML. */
  readonly write: (value: T) => string;
}

const itself = (text: string): unknown => text;
/** A text in TOML. */
export const quoted = (text: string): string => JSON.stringify(text);

/** A text that matches a pattern. */
export function textLike(form: string, pattern: RegExp): Kind<string> {
  return {
    form,
    read: (value) => (typeof value === 'string' && pattern.test(value) ? value : undefined),
    fromText: itself,
    write: quoted,
  };
}

/** A folder or file; relative ones are taken from the config file's folder by the loader. */
export const path: Kind<string> = textLike('a path', /^[^\0]{1,4096}$/);

/** The same, or empty for none. */
export const optionalPath: Kind<string> = textLike('a path, or empty', /^[^\0]{0,4096}$/);

/** An address to listen on. */
export const listenAddress: Kind<string> = textLike('an IP address or a host name', /^[A-Za-z0-9.:_-]{1,253}$/);

export const denom: Kind<string> = {
  ...textLike('a denomination like umu', /^/),
  read: (value) => (typeof value === 'string' && isDenom(value) ? value : undefined),
};

/** An http(s) address without path, query or fragment; empty where it may be. */
export function origin(protocols: readonly string[], options: { orEmpty: boolean }): Kind<string> {
  const form = `${protocols.map((protocol) => `${protocol}://host[:port]`).join(' or ')}${options.orEmpty ? ', or empty' : ''}`;
  const read = (value: unknown): string | undefined => {
    if (typeof value !== 'string') return undefined;
    if (value === '') return options.orEmpty ? '' : undefined;
    const url = URL.parse(value);
    if (url === null || !protocols.includes(url.protocol.slice(0, -1)) || url.hostname === '') return undefined;
    const bare = url.pathname === '/' && url.search === '' && url.hash === '' && url.username === '';
    return bare ? value.replace(/\/$/, '') : undefined;
  };
  return { form, read, fromText: itself, write: quoted };
}

/** An address that requests are sent to; it may have a path. */
export const httpUrl: Kind<string> = {
  form: 'an http:// or https:// address',
  read: (value) =>
    typeof value === 'string' && /^https?:$/.test(URL.parse(value)?.protocol ?? '') ? value : undefined,
  fromText: itself,
  write: quoted,
};

/** A whole number within bounds. */
export function whole(least: number, most: number): Kind<number> {
  return {
    form: `a whole number from ${least} to ${most}`,
    read: (value) =>
      typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most ? value : undefined,
    fromText: (text) => (/^\d{1,15}$/.test(text) ? Number(text) : undefined),
    write: String,
  };
}

/** A whole number of any size up to 2⁶³, as bigint: numbers and heights of the chain. */
export function count(least: bigint): Kind<bigint> {
  const read = (value: unknown): bigint | undefined => {
    const text = typeof value === 'string' ? value : Number.isSafeInteger(value) ? String(value) : '';
    if (!/^(0|[1-9]\d{0,18})$/.test(text)) return undefined;
    return BigInt(text) >= least ? BigInt(text) : undefined;
  };
  return { form: `a whole number of at least ${least}`, read, fromText: itself, write: writeWhole };
}

/** TOML's integers beyond 2⁵³ do not survive every reader: those are written as texts. */
function writeWhole(value: bigint): string {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? String(value) : quoted(String(value));
}

const sizeUnits: readonly (readonly [string, bigint])[] = [
  ['TiB', 1n << 40n],
  ['GiB', 1n << 30n],
  ['MiB', 1n << 20n],
  ['KiB', 1n << 10n],
];

/** Bytes, as a number or with a binary unit. */
export const size: Kind<bigint> = {
  form: 'bytes, or a whole number with KiB, MiB, GiB or TiB',
  read: (value) => {
    const match = /^(\d{1,15}) ?([KMGT]iB)?$/.exec(typeof value === 'number' ? String(value) : String(value ?? ''));
    if (match === null || (typeof value !== 'string' && typeof value !== 'number')) return undefined;
    const bytes = BigInt(match[1]!) * (sizeUnits.find(([unit]) => unit === match[2])?.[1] ?? 1n);
    return bytes < 1n << 63n ? bytes : undefined;
  },
  fromText: itself,
  write: (value) => {
    const unit = sizeUnits.find(([, factor]) => value > 0n && value % factor === 0n);
    return unit === undefined ? writeWhole(value) : quoted(`${value / unit[1]}${unit[0]}`);
  },
};

export const yesNo: Kind<boolean> = {
  form: 'true or false',
  read: (value) => (typeof value === 'boolean' ? value : undefined),
  fromText: (text) => (text === 'true' || text === 'false' ? text === 'true' : undefined),
  write: String,
};

/** A decimal of at least zero. It is written as a text: TOML's floats would round it. */
export const decimal: Kind<Dec> = {
  form: 'a decimal of at least 0 in quotes, with at most 18 decimals',
  read: (value) => {
    try {
      const dec = typeof value === 'string' ? Dec.fromString(value) : undefined;
      return dec?.isNegative() === true ? undefined : dec;
    } catch {
      return undefined;
    }
  },
  fromText: itself,
  write: (value) => quoted(value.toPlain()),
};

/** A factor from 1 to 100, by which more is sold than there is. */
export const factor: Kind<Dec> = {
  ...decimal,
  form: 'a decimal from 1 to 100 in quotes',
  read: (value) => {
    const dec = decimal.read(value);
    return dec === undefined || dec.lt(Dec.one) || dec.gt(Dec.fromInt(100n)) ? undefined : dec;
  },
};

/** A list of distinct values of a kind; in a text they are separated by commas. */
export function listOf(kind: Kind<string>, least = 0): Kind<readonly string[]> {
  return {
    form: `a list of distinct values, each ${kind.form}${least > 0 ? `, at least ${least}` : ''}`,
    read: (value) => {
      if (!Array.isArray(value) || value.length < least || new Set(value).size !== value.length) return undefined;
      const items = value.map(kind.read);
      return items.every((item) => item !== undefined) ? items : undefined;
    },
    fromText: (text) => (text === '' ? [] : text.split(',').map((item) => item.trim())),
    write: (value) => `[${value.map(quoted).join(', ')}]`,
  };
}

/** What a provider states of itself. */
export interface AttributeSetting {
  readonly key: string;
  readonly value: string;
}

const attributeKey = /^[a-z0-9./-]{1,64}$/;
const attributeValue = /^[\x20-\x7e]{1,128}$/;

/** Attributes: a table of texts; in a text `key=value,key=value`. Ascending by key. */
export const attributes: Kind<readonly AttributeSetting[]> = {
  form: 'a table of key = "value"; keys of a-z, 0-9, ".", "/" and "-", at most 64; values of at most 128 printable characters',
  read: (value) => {
    if (!isTable(value)) return undefined;
    const pairs = Object.entries(value).map(([key, text]) => ({ key, value: text }));
    const right = pairs.filter(
      (pair): pair is AttributeSetting =>
        attributeKey.test(pair.key) && typeof pair.value === 'string' && attributeValue.test(pair.value),
    );
    return right.length === pairs.length ? right.sort((a, b) => (a.key < b.key ? -1 : 1)) : undefined;
  },
  fromText: (text) =>
    Object.fromEntries(text.split(',').flatMap((pair) => (pair === '' ? [] : [splitOnce(pair, '=')]))),
  write: (value) => inlineTable(value.map(({ key, value: text }) => [key, quoted(text)])),
};

/** The price of a metric. */
export interface PriceSetting {
  readonly metric: string;
  /** In umu for `per` base units. */
  readonly price: Dec;
  /** Base units, at least 1. */
  readonly per: bigint;
}

const perKind = count(1n);

/** Prices by metric: `metric = { price = "0.5", per = 1000 }`, ascending by metric; in a text `metric=0.5/1000,…`. */
export const prices: Kind<readonly PriceSetting[]> = {
  form: 'a table of metric = { price = "umu as a decimal", per = whole number of at least 1 }',
  read: (value) => {
    if (!isTable(value)) return undefined;
    const list = Object.entries(value).map(([metric, entry]) => readPrice(metric, entry));
    return list.every((price) => price !== undefined) ? list.sort((a, b) => (a.metric < b.metric ? -1 : 1)) : undefined;
  },
  fromText: (text) =>
    Object.fromEntries(
      text.split(',').flatMap((item) => {
        const [metric, price] = splitOnce(item, '=');
        const [amount, per] = splitOnce(price, '/');
        return item === '' ? [] : [[metric, { price: amount, per: per === '' ? '1' : per }]];
      }),
    ),
  write: (value) =>
    inlineTable(value.map(({ metric, price, per }) => [metric, `{ price = ${decimal.write(price)}, per = ${per} }`])),
};

function readPrice(metric: string, entry: unknown): PriceSetting | undefined {
  if (!/^[a-z][a-z0-9-]{0,63}$/.test(metric) || !isTable(entry)) return undefined;
  const { price, per, ...unknown } = entry;
  const known = { metric, price: decimal.read(price), per: perKind.read(per) };
  if (known.price === undefined || known.per === undefined || Object.keys(unknown).length > 0) return undefined;
  return { metric, price: known.price, per: known.per };
}

/** A table of TOML on one line; the values are TOML already. */
export function inlineTable(entries: readonly (readonly [string, string])[]): string {
  if (entries.length === 0) return '{}';
  return `{ ${entries.map(([key, value]) => `${/^[\w-]+$/.test(key) ? key : quoted(key)} = ${value}`).join(', ')} }`;
}

/** The two sides of the first separator, trimmed; the second is empty where there is none. */
export function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text.trim(), ''] : [text.slice(0, at).trim(), text.slice(at + 1).trim()];
}

/** True for TOML tables: objects that are neither lists nor dates. */
export function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}
