/**
 * The event query language of subscriptions and searches: conditions joined by AND, read and matched as CometBFT 0.38
 * does (libs/pubsub/query).
 */
import { compareNumbers, leadingNumber } from './numbers.ts';
import { momentOf, QueryError, Scanner, type Token, type Word } from './scanner.ts';

export { QueryError } from './scanner.ts';

export type Operator = '=' | '<' | '<=' | '>' | '>=' | 'CONTAINS' | 'EXISTS';

/** The right side of a condition. */
export interface Argument {
  kind: 'string' | 'number' | 'time' | 'date';
  text: string;
}

/** One condition on the attribute `type.key`. EXISTS has no argument. */
export interface Condition {
  tag: string;
  operator: Operator;
  argument?: Argument;
}

/** Attribute values by `type.key`: what is matched. */
export type EventMap = Readonly<Record<string, readonly string[]>>;

const operators: Readonly<Partial<Record<Token, Operator>>> = {
  '<= operator': '<=',
  '>= operator': '>=',
  '< operator': '<',
  '> operator': '>',
  '= operator': '=',
  'CONTAINS operator': 'CONTAINS',
  'EXISTS operator': 'EXISTS',
};
const operatorTokens = Object.keys(operators) as Token[];
const ordered: Token[] = ['number', 'timestamp', 'datestamp'];
const argumentTokens: Readonly<Record<Exclude<Operator, 'EXISTS'>, Token[]>> = {
  '<': ordered,
  '<=': ordered,
  '>': ordered,
  '>=': ordered,
  '=': [...ordered, 'string'],
  CONTAINS: ['string'],
};
const kinds: Readonly<Partial<Record<Token, Argument['kind']>>> = {
  string: 'string',
  number: 'number',
  timestamp: 'time',
  datestamp: 'date',
};

export class Query {
  readonly conditions: readonly Condition[];
  /** The same query, written in one way: equal for equal queries. */
  readonly text: string;

  constructor(conditions: readonly Condition[]) {
    this.conditions = conditions;
    this.text = conditions.map(formatCondition).join(' AND ');
  }

  /** @throws QueryError with CometBFT's text */
  static parse(text: string): Query {
    const scanner = new Scanner(text);
    const conditions = [readCondition(scanner)];
    for (;;) {
      const word = scanner.next();
      if (word === undefined) return new Query(conditions);
      // CometBFT prints the expected token by its number.
      if (word.token !== 'AND operator') throw new QueryError(`offset ${word.offset}: got ${word.token}, want 6`);
      conditions.push(readCondition(scanner));
    }
  }

  /** True when every condition holds for some value, not necessarily of one event. */
  matches(events: EventMap): boolean {
    return Object.keys(events).length > 0 && this.conditions.every((condition) => holds(condition, events));
  }
}

function readCondition(scanner: Scanner): Condition {
  const tag = require(scanner, ['tag']).text;
  const operator = operators[require(scanner, operatorTokens).token]!;
  if (operator === 'EXISTS') return { tag, operator };
  const { token, text } = require(scanner, argumentTokens[operator]);
  return { tag, operator, argument: { kind: kinds[token]!, text } };
}

function require(scanner: Scanner, wanted: readonly Token[]): Word {
  const word = scanner.next();
  if (word === undefined) throw new QueryError(`offset ${scanner.offset}: EOF`);
  if (!wanted.includes(word.token)) {
    throw new QueryError(`offset ${word.offset}: got ${word.token}, wanted ${listed(wanted)}`);
  }
  return word;
}

function listed(tokens: readonly Token[]): string {
  const last = tokens.at(-1)!;
  return tokens.length === 1 ? last : `${tokens.slice(0, -1).join(', ')} or ${last}`;
}

function formatCondition({ tag, operator, argument }: Condition): string {
  if (argument === undefined) return `${tag} ${operator}`;
  const { kind, text } = argument;
  if (kind === 'string') return `${tag} ${operator} '${text}'`;
  const label = kind === 'number' ? '' : `${kind.toUpperCase()} `;
  return `${tag} ${operator} ${label}${text}`;
}

function holds(condition: Condition, events: EventMap): boolean {
  const values = events[condition.tag];
  if (values?.some((value) => matchesValue(condition, value))) return true;
  // A tag that is an event's type alone is matched against nothing, so that `transfer EXISTS` works.
  if (!matchesValue(condition, '')) return false;
  return Object.keys(events).some((name) => name.slice(0, name.lastIndexOf('.')) === condition.tag);
}

/** True when one attribute value fulfils the condition. */
export function matchesValue({ operator, argument }: Condition, value: string): boolean {
  if (operator === 'EXISTS' || argument === undefined) return true;
  if (operator === 'CONTAINS') return value.includes(argument.text);
  if (argument.kind === 'string') return value === argument.text;
  const order = orderOf(argument, value);
  if (order === undefined) return false;
  if (operator === '=') return order === 0;
  if (operator === '<') return order < 0;
  if (operator === '<=') return order <= 0;
  return operator === '>' ? order > 0 : order >= 0;
}

/** Where a value stands to the argument; undefined when it is not of its kind. */
function orderOf({ kind, text }: Argument, value: string): number | undefined {
  if (kind === 'number') {
    // Amounts such as `8umu` count as their number.
    const own = leadingNumber(value);
    return own === undefined ? undefined : compareNumbers(own, text);
  }
  const label = kind === 'time' ? 'TIME' : 'DATE';
  const moment = momentOf(value, label);
  return Number.isNaN(moment) ? undefined : moment - momentOf(text, label);
}
