/** A thread that verifies batches of signatures: one buffer in, the same buffer out, in order. */
import { parentPort } from 'node:worker_threads';
import { verifyBatch } from './batch.ts';

const port = parentPort;
if (port === null) throw new Error('this file runs as a worker thread of the node');

port.on('message', (batch: ArrayBuffer) => {
  verifyBatch(batch);
  port.postMessage(batch, [batch]);
});
