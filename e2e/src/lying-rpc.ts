/** A proxy before a node's RPC that changes answers: what a light client must notice. Speaks JSON-RPC over HTTP POST. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A JSON value that tests reach into by name. */
// biome-ignore lint/suspicious/noExplicitAny: answers of the RPC are changed deep inside, at places that only the test knows
export type Json = any;

/** Asks the node itself. */
export type Ask = (method: string, params: Json) => Promise<Json>;

/** Changes an answer. @param result the node's own, a copy; what is returned is sent */
export type Lie = (result: Json, params: Json, ask: Ask) => Json | Promise<Json>;

export class LyingRpc {
  readonly #node: string;
  readonly #server: Server;
  /** by method */
  readonly lies = new Map<string, Lie>();
  /** methods that never get an answer */
  readonly silent = new Set<string>();

  private constructor(node: string) {
    this.#node = node;
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        this.#answer(Buffer.concat(chunks).toString('utf8')).then(
          (text) => {
            if (text !== undefined) response.writeHead(200, { 'content-type': 'application/json' }).end(text);
          },
          (error: unknown) => response.writeHead(502).end(String(error)),
        );
      });
    });
  }

  /** @param node RPC address of an honest node */
  static async start(node: string): Promise<LyingRpc> {
    const proxy = new LyingRpc(node);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  honest(): void {
    this.lies.clear();
    this.silent.clear();
  }

  /** What the node itself answers. */
  readonly ask: Ask = async (method, params) => {
    const { result, error } = await this.#forward(JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }));
    if (error !== undefined) throw new Error(`${method}: ${JSON.stringify(error)}`);
    return result;
  };

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(body: string): Promise<string | undefined> {
    const { method, params } = JSON.parse(body) as { method: string; params?: Json };
    if (this.silent.has(method)) return undefined;
    const answer = await this.#forward(body);
    const lie = this.lies.get(method);
    if (lie === undefined || answer.result === undefined) return JSON.stringify(answer);
    return JSON.stringify({ ...answer, result: await lie(answer.result, params ?? {}, this.ask) });
  }

  async #forward(body: string): Promise<{ result?: Json; error?: Json }> {
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(this.#node, { method: 'POST', headers, body });
    return (await response.json()) as { result?: Json; error?: Json };
  }
}
