/** The Go program of chain/framework/test/vectors/gen: built where Go is found, spoken to in lines. */
import { type ChildProcessWithoutNullStreams, execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const source = fileURLToPath(new URL('../../chain/framework/test/vectors/gen/', import.meta.url));
const cache = fileURLToPath(new URL('../../.cache/go/', import.meta.url));

/** What a person does where Go is missing. */
export const goHint = 'install Go 1.25 or newer (https://go.dev/dl): cosmos/iavl itself is the other side';

/** Path of Go; undefined where there is none. */
export function findGo(env: Readonly<Record<string, string | undefined>> = process.env): string | undefined {
  // The last is where Go's own installer puts it, also when no profile has it in the PATH.
  const folders = [...(env['PATH'] ?? '').split(delimiter), join(env['GOROOT'] ?? '/usr/local/go', 'bin')];
  return folders
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, 'go'))
    .find((file) => existsSync(file));
}

/** Builds the program unless the same sources were built before. @returns its path */
export async function buildProgram(go: string): Promise<string> {
  const digest = createHash('sha256');
  const files = readdirSync(source).filter((name) => /\.(go|mod|sum)$/.test(name));
  for (const name of files.sort((a, b) => (a < b ? -1 : 1)))
    digest.update(name).update(readFileSync(join(source, name)));
  const program = join(cache, `statevectors-${digest.digest('hex').slice(0, 16)}`);
  if (existsSync(program)) return program;
  mkdirSync(cache, { recursive: true });
  const unfinished = `${program}.${process.pid}`;
  try {
    await promisify(execFile)(go, ['build', '-o', unfinished, '.'], { cwd: source, maxBuffer: 1 << 26 });
  } catch (error) {
    throw new Error(`go build in ${source} failed: ${(error as { stderr?: string }).stderr ?? String(error)}`);
  }
  renameSync(unfinished, program);
  return program;
}

/** An answer takes seconds at most, also on a machine that is busy with other things. */
const answerMs = 120_000;

/** The program at work: lines in, one line of JSON back for each question. */
export class GoProgram {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #waiting: { readonly answer: (line: string) => void; readonly fail: (error: Error) => void }[] = [];
  #ended: Error | undefined;
  #complaint = '';

  constructor(program: string, args: readonly string[]) {
    this.#child = spawn(program, args);
    this.#child.stderr.on('data', (text: Buffer) => {
      this.#complaint = (this.#complaint + text.toString()).slice(-4000);
    });
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#waiting.shift()?.answer(line));
    this.#child.on('error', (error) => this.#end(error));
    this.#child.on('close', (code) =>
      this.#end(new Error(`the Go program ended with code ${code}: ${this.#complaint}`)),
    );
    // What it could not be told any more is said by its end.
    this.#child.stdin.on('error', () => undefined);
  }

  /** Sends lines that are not answered; waits while the program is behind. */
  async tell(lines: string): Promise<void> {
    if (this.#ended !== undefined) throw this.#ended;
    if (this.#child.stdin.write(lines)) return;
    // Its end is told by whoever waits for the next answer.
    await new Promise<void>((resolve) => {
      const go = (): void => {
        this.#child.stdin.off('drain', go);
        this.#child.off('close', go);
        resolve();
      };
      this.#child.stdin.on('drain', go);
      this.#child.on('close', go);
    });
  }

  /** Sends a line that is answered. Several may be under way. @throws Error when the program ends before */
  async ask(line: string): Promise<unknown> {
    if (this.#ended !== undefined) throw this.#ended;
    const answered = new Promise<string>((answer, fail) => {
      this.#waiting.push({ answer, fail });
    });
    this.#child.stdin.write(`${line}\n`);
    const late = setTimeout(() => {
      this.#end(new Error(`the Go program did not answer "${line}" within ${answerMs / 1000} s`));
      this.#child.kill('SIGKILL');
    }, answerMs);
    try {
      return JSON.parse(await answered);
    } finally {
      clearTimeout(late);
    }
  }

  /** Lets it end, and waits for that. */
  async close(): Promise<void> {
    if (this.#ended !== undefined) return;
    const ended = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.stdin.end();
    const late = setTimeout(() => this.#child.kill('SIGKILL'), answerMs);
    await ended;
    clearTimeout(late);
  }

  #end(error: Error): void {
    this.#ended ??= error;
    for (const { fail } of this.#waiting.splice(0)) fail(this.#ended);
  }
}
