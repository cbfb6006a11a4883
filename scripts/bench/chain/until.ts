/** Waiting for a chain. */
import { eventually } from '@mu/e2e/process';

/** Milliseconds that a genesis of a million accounts may take on the slower side. */
const startMs = 900_000;

/** The height that a node says it has; 0 while it does not answer. */
export async function heightAt(rpc: string): Promise<number> {
  try {
    const answer = (await (await fetch(`${rpc}/status`)).json()) as {
      result: { sync_info: { latest_block_height: string } };
    };
    return Number(answer.result.sync_info.latest_block_height);
  } catch {
    return 0;
  }
}

export async function untilAbove(rpc: string, height: number): Promise<void> {
  await eventually(
    `a block above ${height} at ${rpc}`,
    async () => ((await heightAt(rpc)) > height ? true : undefined),
    startMs,
  );
}
