/**
 * What the socket of ABCI costs by itself: CheckTx round trips to an application that does nothing, on another thread.
 * `node scripts/bench/abci.ts` prints microseconds per round trip, one by one and pipelined as CometBFT's mempool does.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { AbciClient } from '@mu/abci/client';
import { AbciServer } from '@mu/abci/server';
import { CheckTxType, RequestCheckTx, ResponseCheckTx } from 'cosmjs-types/tendermint/abci/types';

const tx = new Uint8Array(320).fill(7);
const request = { tx, type: CheckTxType.NEW };

async function perRoundTrip(client: AbciClient, count: number, inFlight: number): Promise<number> {
  let left = count;
  const lane = async (): Promise<void> => {
    for (; left > 0; left--) await client.checkTx(request);
  };
  const began = performance.now();
  await Promise.all(Array.from({ length: inFlight }, lane));
  return ((performance.now() - began) * 1000) / count;
}

async function measure(listen: string): Promise<object> {
  const worker = new Worker(new URL(import.meta.url), { workerData: { listen } });
  try {
    const address = await new Promise<string>((resolve) => worker.once('message', resolve));
    const client = await AbciClient.connect(address);
    await perRoundTrip(client, 20_000, 256);
    const pipelined = await perRoundTrip(client, 100_000, 256);
    const oneByOne = await perRoundTrip(client, 10_000, 1);
    client.close();
    return {
      over: listen.split(':')[0],
      tx_bytes: tx.length,
      us_pipelined: round(pipelined),
      us_one_by_one: round(oneByOne),
    };
  } finally {
    await worker.terminate();
  }
}

const round = (us: number): number => Math.round(us * 10) / 10;

async function serve(listen: string): Promise<void> {
  const accepted = ResponseCheckTx.fromPartial({ gasWanted: 100_000n });
  const handle = (_: unknown, body: Uint8Array): Uint8Array => {
    RequestCheckTx.decode(body);
    return ResponseCheckTx.encode(accepted).finish();
  };
  const server = new AbciServer({ handle }, { listen });
  parentPort?.postMessage(await server.listen());
}

if (isMainThread) {
  const folder = mkdtempSync(join(tmpdir(), 'mu-bench-'));
  for (const listen of [`unix://${folder}/abci.sock`, 'tcp://127.0.0.1:0']) {
    process.stdout.write(`${JSON.stringify(await measure(listen))}\n`);
  }
  rmSync(folder, { recursive: true });
} else {
  await serve((workerData as { listen: string }).listen);
}
