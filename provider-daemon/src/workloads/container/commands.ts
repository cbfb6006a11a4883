/** Commands that tenants run in one workload, and how many there may be. */
import { type ExecRequest, type ExecSession, WorkloadError } from '../driver.ts';
import { execLimits, startExec } from './exec.ts';
import type { ContainerParts } from './parts.ts';

export class Commands {
  readonly #parts: Pick<ContainerParts, 'engine' | 'clock' | 'execs'>;
  readonly #sessions = new Set<ExecSession>();
  #starting = 0;

  constructor(parts: Pick<ContainerParts, 'engine' | 'clock' | 'execs'>) {
    this.#parts = parts;
  }

  /** @throws WorkloadError `busy` beyond the limits, `invalid` where there is no such command */
  async start(containerId: string, request: ExecRequest): Promise<ExecSession> {
    const { engine, clock, execs } = this.#parts;
    if (this.#sessions.size + this.#starting >= execLimits.maxPerWorkload) {
      throw new WorkloadError('busy', `${execLimits.maxPerWorkload} commands run in this workload already`);
    }
    if (execs.running >= execLimits.maxSessions) {
      throw new WorkloadError('busy', `${execLimits.maxSessions} commands run on this provider already`);
    }
    execs.running += 1;
    this.#starting += 1;
    try {
      const session = await startExec({ engine, clock, containerId }, request);
      this.#sessions.add(session);
      const over = (): void => {
        this.#sessions.delete(session);
        execs.running -= 1;
      };
      session.exitCode.then(over, over);
      return session;
    } catch (error) {
      execs.running -= 1;
      throw error;
    } finally {
      this.#starting -= 1;
    }
  }

  /** Ends all of them. */
  close(): void {
    for (const session of this.#sessions) session.close();
  }
}
