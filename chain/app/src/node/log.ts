/** The node's log: one JSON object a line on stderr. */
import { type Logger, pino } from 'pino';
import type { NodeConfig } from './config.ts';

export function nodeLog({ node }: NodeConfig): Logger {
  return pino({ level: node.log_level, base: { moniker: node.moniker } }, pino.destination(2));
}
