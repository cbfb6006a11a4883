/** Telemetry as the config wants it: nothing is loaded and nothing is measured where it is off. */
import type { Application } from '@mu/abci/application';
import type { Logger } from 'pino';
import type { NodeConfig } from '../node/config.ts';
import { Pulse } from './health.ts';
import type { StoreFigures } from './metrics.ts';
import type { RunningTelemetry } from './server.ts';

/** The measuring side: it stands in the thread of the application. */
export interface Meter {
  /** The application, with its work measured. */
  over(app: Application): Application;
  /** All metrics in the text format of Prometheus. */
  text(): Promise<string>;
}

export interface MeterOptions {
  readonly config: NodeConfig;
  /** absent where the application is another program's */
  readonly figures?: (() => Promise<StoreFigures>) | undefined;
  /** told of each committed block */
  readonly onCommitted?: (height: bigint) => void;
}

/** Undefined where telemetry is off. */
export async function openMeter({ config, figures, onCommitted }: MeterOptions): Promise<Meter | undefined> {
  if (config.telemetry.prometheus_laddr === '') return undefined;
  const [{ NodeMetrics }, { MeteredApplication }] = await Promise.all([
    import('./metrics.ts'),
    import('./metered-application.ts'),
  ]);
  const metrics = new NodeMetrics({ clock: Date.now, figures });
  const report = {
    phase: metrics.phase.bind(metrics),
    checked: metrics.checked.bind(metrics),
    executed: metrics.executed.bind(metrics),
    committed: (height: bigint) => {
      metrics.committed(height);
      onCommitted?.(height);
    },
  };
  return { over: (app) => new MeteredApplication(app, report), text: () => metrics.text() };
}

/** The pulse of a node of this config. An engine that makes blocks on demand may make none for days. */
export function newPulse({ engine, telemetry }: NodeConfig): Pulse {
  const isOnDemand = engine.kind === 'solo' && engine.block_interval_ms === 0;
  const now = (): number => performance.now();
  return new Pulse({ now, maxBlockAgeMs: isOnDemand ? 0 : telemetry.max_block_age_ms });
}

/** Serves what was measured; undefined where telemetry is off. @throws Error that names the address */
export async function serveTelemetry(
  config: NodeConfig,
  { metrics, pulse, log }: { readonly metrics: () => Promise<string>; readonly pulse: Pulse; readonly log: Logger },
): Promise<RunningTelemetry | undefined> {
  const { prometheus_laddr: listen } = config.telemetry;
  if (listen === '') return undefined;
  const { startTelemetry } = await import('./server.ts');
  return startTelemetry({ listen, metrics, health: () => pulse.health(), log: log.child({ part: 'telemetry' }) });
}
