/** One request on its way through one instance of a workload. */
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { badRequest, refusals } from './answers.ts';
import { answersWithBody } from './call.ts';
import { calleeOf, countIn, countOut, decline, type Exchange } from './exchange.ts';
import { type Field, fieldsOf, forwardingFields, isForwarding, passingFields, passingTrailers } from './headers.ts';
import { maxHints } from './limits.ts';
import type { RouteMatch } from './routes.ts';
import type { Upstream } from './upstreams.ts';

/**
 * `done`: the client has an answer, or is gone. `unreachable`: no connection, nothing was sent. `stale`: a kept connection
 * ended when the request was sent on it, as it does when the other side closes an idle one; the request may be sent again.
 */
export type Outcome = 'done' | 'unreachable' | 'stale';

/** Sent twice, they do what they do once (RFC 9110 9.2.2). */
const idempotent: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);
/** Without a length, these are taken to have a body of length 0 (RFC 9110 8.6). */
const meantToHaveBody: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);
/** Header of an answer at most, in bytes. */
const maxAnswerHeaderBytes = 64 * 1024;

/** The workload's side of a websocket, once it has agreed. */
export type OnUpgrade = (answer: IncomingMessage, socket: Socket, head: Buffer) => void;

export class Passage {
  readonly #exchange: Exchange;
  readonly #upstream: Upstream;
  readonly #match: RouteMatch;
  readonly #onUpgrade: OnUpgrade | undefined;
  readonly #outcome = Promise.withResolvers<Outcome>();
  #request: ClientRequest | undefined;
  #connected = false;
  #late = false;
  #answered = false;
  #hints = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    exchange: Exchange,
    to: { readonly upstream: Upstream; readonly match: RouteMatch; readonly onUpgrade?: OnUpgrade | undefined },
  ) {
    this.#exchange = exchange;
    this.#upstream = to.upstream;
    this.#match = to.match;
    this.#onUpgrade = to.onUpgrade;
  }

  async run(): Promise<Outcome> {
    const { call, around } = this.#exchange;
    try {
      this.#request = this.#makeRequest();
    } catch {
      decline(this.#exchange, badRequest('the request cannot be passed on as it is'));
      return 'done';
    }
    this.#limit(around.limits.connectMs);
    this.#listen(this.#request);
    call.onClose((complete) => {
      if (!complete) this.#request?.destroy();
      this.#outcome.resolve('done');
    });
    const outcome = await this.#outcome.promise;
    clearTimeout(this.#timer);
    return outcome;
  }

  #makeRequest(): ClientRequest {
    const { call, target, path, around } = this.#exchange;
    const query = target.query === '' ? '' : `?${target.query}`;
    return httpRequest({
      agent: this.#onUpgrade === undefined ? around.agents.requests : around.agents.upgrades,
      host: this.#upstream.address,
      port: this.#upstream.port,
      method: call.method,
      path: `${path}${query}`,
      headers: this.#fields().flat(),
      maxHeaderSize: maxAnswerHeaderBytes,
    });
  }

  #fields(): Field[] {
    const { call, target, prefix } = this.#exchange;
    const sent = passingFields(call.fields).filter(([name]) => name !== 'host' && !isForwarding(name));
    const fields: Field[] = [['host', target.host ?? this.#upstream.address], ...sent];
    fields.push(...forwardingFields({ ...call, remoteAddress: call.remoteAddress, host: target.host, prefix }));
    const hasLength = sent.some(([name]) => name === 'content-length');
    // Node frames no body of a GET by itself: unframed, it would be the next request on that connection.
    if (call.hasBody && !hasLength) fields.push(['transfer-encoding', 'chunked']);
    if (!call.hasBody && !hasLength && meantToHaveBody.has(call.method)) fields.push(['content-length', '0']);
    if (this.#onUpgrade !== undefined) fields.push(['connection', 'Upgrade'], ['upgrade', 'websocket']);
    return fields;
  }

  #listen(request: ClientRequest): void {
    const { call } = this.#exchange;
    request.once('socket', (socket) => {
      if (socket.connecting) socket.once('connect', () => this.#send(request));
      else this.#send(request);
    });
    request.once('response', (answer) => this.#answer(answer));
    request.once('continue', () => call.proceed());
    request.on('information', ({ statusCode, rawHeaders }) => {
      if (statusCode === 103) this.#hint(fieldsOf(rawHeaders as unknown as string[]));
    });
    request.on('error', (error) => this.#failed(error));
    // Node tells by nothing else of an answer that changes the protocol where nobody asked for it.
    request.once('close', () => {
      if (!this.#answered) this.#failed(new Error('it ended without an answer'));
    });
    const upgraded = this.#onUpgrade;
    if (upgraded === undefined) return;
    request.once('upgrade', (answer, socket, head) => {
      // From here on the two sockets end each other.
      this.#request = undefined;
      this.#answered = true;
      upgraded(answer, socket as Socket, head);
      this.#outcome.resolve('done');
    });
  }

  /** The body is asked for only when the instance is there: until then another may take the request. */
  #send(request: ClientRequest): void {
    const { call, around } = this.#exchange;
    this.#connected = true;
    this.#limit(around.limits.answerMs);
    if (!call.hasBody) {
      request.end();
      return;
    }
    request.flushHeaders();
    call.body.on('data', (chunk: Buffer) => {
      countIn(this.#exchange, chunk.length);
      this.#timer?.refresh();
    });
    call.body.once('end', () => {
      const trailers = passingTrailers(call.trailers());
      if (trailers.length > 0) request.addTrailers(trailers.map(([name, value]): [string, string] => [name, value]));
      request.end();
    });
    call.body.pipe(request, { end: false });
  }

  #answer(answer: IncomingMessage): void {
    const { call, around } = this.#exchange;
    const status = answer.statusCode ?? 502;
    this.#answered = true;
    answer.on('error', () => call.cut());
    try {
      if (status > 599) throw new RangeError(`status ${status}`);
      call.begin(status, passingFields(fieldsOf(answer.rawHeaders)));
    } catch (error) {
      answer.destroy();
      this.#say(`its answer cannot be passed on: ${(error as Error).message}`);
      decline(this.#exchange, refusals.brokenAnswer);
      return;
    }
    this.#limit(around.limits.answerIdleMs);
    answer.once('end', () => {
      if (!answer.complete) {
        call.cut();
        return;
      }
      call.end(passingTrailers(answer.rawTrailers));
      // What the client still sends has no reader any more.
      if (this.#request?.writableEnded === false) this.#request.destroy();
    });
    if (!answersWithBody(call.method, status)) {
      answer.resume();
      return;
    }
    answer.on('data', (chunk: Buffer) => {
      countOut(this.#exchange, chunk.length);
      this.#timer?.refresh();
    });
    answer.pipe(call.output, { end: false });
    // With its first bytes where they are here already; else by itself, as for events that come later.
    setImmediate(() => {
      if (call.answerBytes === 0) call.flush();
    });
  }

  /** A hint that cannot be passed on, since node knows links in one form only, is none. */
  #hint(fields: readonly Field[]): void {
    this.#hints += 1;
    if (this.#hints > maxHints) return;
    try {
      this.#exchange.call.hint(fields);
    } catch (error) {
      this.#say(`its early hint cannot be passed on: ${(error as Error).message}`);
    }
  }

  #failed(error: Error): void {
    const { call } = this.#exchange;
    this.#answered = true;
    if (call.closed) this.#outcome.resolve('done');
    else if (!this.#connected) {
      this.#say(`${this.#upstream.address} cannot be reached: ${this.#late ? 'no answer in time' : error.message}`);
      this.#outcome.resolve('unreachable');
    } else if (call.status !== 0) call.cut();
    else if (this.#mayBeSentAgain(error)) this.#outcome.resolve('stale');
    else {
      this.#say(this.#late ? 'it did not answer in time' : `its answer is broken: ${error.message}`);
      decline(this.#exchange, this.#late ? refusals.noAnswer : refusals.brokenAnswer);
    }
  }

  #mayBeSentAgain(error: Error): boolean {
    const { call } = this.#exchange;
    // Errors of the parser have a reason: then there was an answer.
    const wasIdle = this.#request?.reusedSocket === true && !this.#late && !('reason' in error);
    return wasIdle && !call.hasBody && idempotent.has(call.method);
  }

  /** So long until something must come. A client that takes nothing is not the instance's fault. */
  #limit(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const { call } = this.#exchange;
      if (call.output.writableNeedDrain && call.status !== 0) this.#limit(ms);
      else {
        this.#late = true;
        this.#request?.destroy(new Error('too late'));
      }
    }, ms);
  }

  #say(line: string): void {
    this.#exchange.around.log(calleeOf(this.#exchange, this.#match), 'system', line);
  }
}
