/** Asks a running daemon over its Unix socket. */
import { request } from 'node:http';

/** No daemon listens at the socket. */
export class DaemonAway extends Error {
  override readonly name = 'DaemonAway';
}

const answerMs = 30_000;
/** Nobody listens, or nothing is there. */
const awayCodes: readonly string[] = ['ENOENT', 'ECONNREFUSED', 'ENOTSOCK'];

/**
 * One question.
 * @param route like `GET /status`
 * @throws DaemonAway; Error where the daemon does not answer, or refuses
 */
export async function askDaemon<T>(socketPath: string, route: string, limitMs = answerMs): Promise<T> {
  const [method = 'GET', path = '/'] = route.split(' ');
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
  const asked = request({ socketPath, method, path, timeout: limitMs, agent: false }, (response) => {
    let text = '';
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => {
      text += chunk;
    });
    response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    response.on('error', reject);
  });
  asked.on('timeout', () => asked.destroy(new Error(`the daemon does not answer within ${limitMs / 1000} s`)));
  asked.on('error', (error: NodeJS.ErrnoException) =>
    reject(
      awayCodes.includes(error.code ?? '')
        ? new DaemonAway(`no daemon listens at ${socketPath}: start it with \`mu-provider start\``)
        : new Error(`the daemon at ${socketPath} does not answer: ${error.message}`),
    ),
  );
  asked.end();
  const { status, text } = await promise;
  if (status !== 200) throw new Error(`the daemon refused ${route} (${status}): ${text.trim()}`);
  return JSON.parse(text) as T;
}

/** The answer, or undefined where no daemon runs. @throws Error as `askDaemon` */
export async function askIfThere<T>(socketPath: string, route: string): Promise<T | undefined> {
  try {
    return await askDaemon<T>(socketPath, route);
  } catch (error) {
    if (error instanceof DaemonAway) return undefined;
    throw error;
  }
}
