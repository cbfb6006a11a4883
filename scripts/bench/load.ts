/** Load on one address over keep-alive connections, one request at a time on each. */
import { Agent, request } from 'node:http';

export interface Request {
  readonly method: string;
  readonly path: string;
  readonly body: string | Buffer;
}

/** Sends a request. @returns status and body */
export function ask(
  agent: Agent,
  base: string,
  { method, path, body }: Request,
): Promise<{ status: number; text: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
  const url = new URL(path, base);
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  const sent = request(url, { agent, method, headers }, (response) => {
    let text = '';
    response.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
    response.once('end', () => resolve({ status: response.statusCode ?? 0, text }));
  });
  sent.once('error', reject);
  sent.end(body);
  return promise;
}

/** Runs `next` on so many connections until it gives no more. @returns milliseconds of each request, in no order */
export async function drive(
  base: string,
  connections: number,
  next: () => Request | undefined,
  check: (answer: { status: number; text: string }) => void,
): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const times: number[] = [];
  const worker = async (): Promise<void> => {
    for (let wanted = next(); wanted !== undefined; wanted = next()) {
      const start = performance.now();
      check(await ask(agent, base, wanted));
      times.push(performance.now() - start);
    }
  };
  await Promise.all(Array.from({ length: connections }, worker));
  agent.destroy();
  return times;
}
