/** Asks all the time, one question after the other, and counts what was answered. */
import { messageOf } from '@mu/lib/error-message';
export interface Asked {
  readonly answered: number;
  readonly failed: number;
  readonly firstFailure: string;
}

export class ConstantAsker {
  #answered = 0;
  #failed = 0;
  #firstFailure = '';
  #going = true;
  readonly #done: Promise<void>;

  /** @param ask fails where there is no answer, or a wrong one */
  constructor(ask: () => Promise<void>, pauseMs = 50) {
    this.#done = this.#run(ask, pauseMs);
  }

  async end(): Promise<Asked> {
    this.#going = false;
    await this.#done;
    return { answered: this.#answered, failed: this.#failed, firstFailure: this.#firstFailure };
  }

  async #run(ask: () => Promise<void>, pauseMs: number): Promise<void> {
    while (this.#going) {
      try {
        await ask();
        this.#answered += 1;
      } catch (error) {
        this.#failed += 1;
        if (this.#firstFailure === '') this.#firstFailure = messageOf(error);
      }
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}
