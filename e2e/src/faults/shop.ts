/** The shop of the examples as a tenant runs it: a container, one with a volume behind it, a function; and who asks it. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { World } from './world.ts';

const examples = resolve(import.meta.dirname, '..', '..', '..', 'examples');

export interface ShopWish {
  readonly greeting?: string;
  /** instances of the web container */
  readonly count?: number;
  /** another version of the counter too, which has the volume */
  readonly counterVersion?: string;
  /** usage costs nothing, so that little money lasts for a known number of blocks */
  readonly freeUsage?: boolean;
}

/** Its stack file. */
export function writeShop(world: World, wish: ShopWish = {}): string {
  const { greeting = 'welcome', count = 1, counterVersion, freeUsage = false } = wish;
  const file = world.network.path('shop.yaml');
  const text = readFileSync(join(examples, 'shop', 'stack.yaml'), 'utf8')
    .replaceAll('manifest:build', `manifest:${join(examples, 'shop', 'build')}`)
    .replace('../login', join(examples, 'login'))
    .replace('GREETING: welcome', `GREETING: "${greeting}"`)
    .replace('count: 1', `count: ${count}`);
  const version = counterVersion === undefined ? '' : `    env: { VERSION: "${counterVersion}" }\n`;
  const versioned = text.replace(/(name: counter.*\n)/, `$1${version}`);
  writeFileSync(file, freeUsage ? versioned.replace(/^ {4}usage_limits:\n( {6}.*\n)*/m, '') : versioned);
  return file;
}

/** A function alone, at this provider: small enough to be sealed on the chain. */
export function writeSmall(world: World): string {
  const folder = world.network.path('small');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'stack.yaml');
  writeFileSync(
    file,
    `name: Small
version: 0.1
services:
  - { type: MuFunction, name: login, binary: ${join(examples, 'login', 'build', 'simple_backend.wasm')}, runtime: wasi1.0 }
  - { type: MuGateway, name: front, endpoints: { /login: { type: POST, route_to: login } } }
infrastructure:
  - name: main
    region: local
    provider: ${world.provider.owner}
    resources:
      - { compute: { cpu: 100m, memory: 128MiB, disk: 256MiB }, price: 50, count: 1 }
    usage_limits:
      - { metric: function-invocations, max_price: 10, max_quantity_per_block: 1000 }
      - { metric: function-megabyte-milliseconds, max_price: 1, per: 1000, max_quantity_per_block: 10000000 }
      - { metric: gateway-requests, max_price: 2, max_quantity_per_block: 1000 }
      - { metric: gateway-bytes, max_price: 2, per: 1024, max_quantity_per_block: 10000000 }
`,
  );
  return file;
}

/** What the page of the web container says. */
export interface Visit {
  readonly greeting: string;
  readonly instance: string;
  readonly visits: number;
}

/** Longest time for one answer: a tenant would not wait longer. */
const answerMs = 5_000;

/**
 * The only client of a deployment: what it has not sent must not be billed. Its requests go one after the other, whoever
 * asks for them, since the counter would tell two at a time the same.
 */
export class Visitor {
  readonly endpoint: string;
  #visits = 0;
  #logins = 0;
  #mostVisits = 0;
  #turn: Promise<void> = Promise.resolve();
  #answered = { requests: 0, logins: 0 };

  constructor(endpoint: string) {
    this.endpoint = endpoint;
  }

  /** Requests that were sent, answered or not. */
  get sent(): { readonly requests: number; readonly logins: number } {
    return { requests: this.#visits + this.#logins, logins: this.#logins };
  }

  /** Requests that were answered with 200: these must be billed. */
  get answered(): { readonly requests: number; readonly logins: number } {
    return this.#answered;
  }

  /** The most that the counter on the volume has said. */
  get mostVisits(): number {
    return this.#mostVisits;
  }

  /** @throws Error where it is not answered, or the counter has lost its volume */
  visit(): Promise<Visit> {
    return this.#inTurn(() => this.#visit());
  }

  /** The function of the stack. @throws Error where it does not answer */
  login(): Promise<void> {
    return this.#inTurn(() => this.#login());
  }

  /** Asks the container, whatever it answers. */
  async answer(): Promise<Response> {
    this.#visits += 1;
    return fetch(`${this.endpoint}/cgi-bin/visit`, { signal: AbortSignal.timeout(answerMs) });
  }

  /** Container and function, one after the other. */
  async both(): Promise<void> {
    await this.visit();
    await this.login();
  }

  async #visit(): Promise<Visit> {
    this.#visits += 1;
    const response = await fetch(`${this.endpoint}/cgi-bin/visit`, { signal: AbortSignal.timeout(answerMs) });
    const text = await response.text();
    if (response.status !== 200) throw new Error(`a visit was answered with ${response.status}: ${text.trim()}`);
    this.#answered.requests += 1;
    const visit = JSON.parse(text) as Visit;
    // 0 is said where the counter cannot be reached.
    if (visit.visits === 0) throw new Error('the counter did not answer');
    if (visit.visits < this.#mostVisits)
      throw new Error(`the volume counts ${visit.visits} visits, it had counted ${this.#mostVisits}`);
    this.#mostVisits = visit.visits;
    return visit;
  }

  async #login(): Promise<void> {
    this.#logins += 1;
    const body = JSON.stringify({ name: 'Ada' });
    const response = await fetch(`${this.endpoint}/login`, {
      method: 'POST',
      body,
      signal: AbortSignal.timeout(answerMs),
    });
    const text = await response.text();
    if (response.status !== 200 || !text.includes('Hello, Ada!'))
      throw new Error(`a login was answered with ${response.status}: ${text.trim()}`);
    this.#answered.requests += 1;
    this.#answered.logins += 1;
  }

  #inTurn<T>(ask: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(ask);
    this.#turn = turn.then(
      () => {},
      () => {},
    );
    return turn;
  }
}
