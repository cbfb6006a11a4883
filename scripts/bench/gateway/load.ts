/** Load by HTTP/1.1 over bare sockets, so that the client takes as little of the machine as it can. */
import { connect, type Socket } from 'node:net';

export interface Target {
  readonly host: string;
  readonly port: number;
  /** A whole request, head and body. */
  readonly request: string;
}

export interface LoadResult {
  /** Milliseconds of each request that was answered 200. */
  readonly served: readonly number[];
  /** Of each that was answered 429 or 503. */
  readonly refused: readonly number[];
  /** Answers of other statuses, and connections that broke. */
  readonly failed: number;
  readonly seconds: number;
}

export function requestOf(method: string, path: string, body = ''): string {
  return `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

/** Sends one request after the other on each of so many connections, for so long. */
export async function load(target: Target, connections: number, durationMs: number): Promise<LoadResult> {
  const result = { served: [] as number[], refused: [] as number[], failed: 0 };
  const start = performance.now();
  const until = start + durationMs;
  const worker = async (): Promise<void> => {
    let client: Client | undefined;
    while (performance.now() < until) {
      client ??= await Client.open(target);
      const sent = performance.now();
      const status = await client.ask();
      const took = performance.now() - sent;
      if (status === 200) result.served.push(took);
      else if (status === 429 || status === 503) result.refused.push(took);
      else result.failed += 1;
      if (client.isOver) client = undefined;
    }
    client?.close();
  };
  await Promise.all(Array.from({ length: connections }, worker));
  return { ...result, seconds: (performance.now() - start) / 1000 };
}

/** One request on a connection of its own. @returns its status; 0 where it was not answered */
export async function askOnce(target: Target): Promise<number> {
  try {
    const client = await Client.open(target);
    const status = await client.ask();
    client.close();
    return status;
  } catch {
    return 0;
  }
}

/** A connection that asks the same again and again. */
class Client {
  readonly #socket: Socket;
  readonly #request: string;
  #text = '';
  #settle: ((status: number) => void) | undefined;
  /** The other side has ended it, or will. */
  isOver = false;

  private constructor(socket: Socket, request: string) {
    this.#socket = socket;
    this.#request = request;
    socket.setNoDelay(true).setEncoding('latin1');
    socket.on('data', (text: string) => this.#receive(text));
    socket.on('error', () => {}); // `close` follows
    socket.on('close', () => {
      this.isOver = true;
      this.#answer(statusOf(this.#text));
    });
  }

  static async open({ host, port, request }: Target): Promise<Client> {
    const socket = connect(port, host);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.once('connect', resolve).once('error', reject);
    await promise;
    return new Client(socket, request);
  }

  ask(): Promise<number> {
    return new Promise((resolve) => {
      this.#settle = resolve;
      this.#socket.write(this.#request);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(text: string): void {
    this.#text += text;
    if (!isComplete(this.#text)) return;
    if (/\r\nconnection: close\r\n/i.test(this.#text)) this.isOver = true;
    const status = statusOf(this.#text);
    this.#text = '';
    this.#answer(status);
  }

  #answer(status: number): void {
    const settle = this.#settle;
    this.#settle = undefined;
    settle?.(status);
  }
}

const statusOf = (text: string): number => Number(/^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1] ?? 0);

function isComplete(text: string): boolean {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return false;
  const head = text.slice(0, end + 2);
  const length = /\r\ncontent-length: (\d+)\r\n/i.exec(head)?.[1];
  if (length !== undefined) return text.length >= end + 4 + Number(length);
  return /\r\ntransfer-encoding: chunked\r\n/i.test(head) && text.endsWith('0\r\n\r\n');
}
