/** A request that an instance of a workload answers. */
import { refusals } from './answers.ts';
import { decline, type Exchange, inPlace } from './exchange.ts';
import { type OnUpgrade, Passage } from './passage.ts';
import type { RouteMatch } from './routes.ts';
import { Balancer, type Upstream } from './upstreams.ts';

export async function askWorkload(exchange: Exchange, match: RouteMatch, onUpgrade?: OnUpgrade): Promise<void> {
  const { to } = match.route;
  const pool = exchange.deployment.service.upstreams?.get(to.name);
  if (to.kind !== 'workload' || pool?.instances.some(({ ready }) => ready) !== true) {
    return decline(exchange, refusals.notRunning);
  }
  await inPlace(exchange, () => tryInstances(exchange, match, onUpgrade));
}

/** From instance to instance until one takes the request. */
async function tryInstances(exchange: Exchange, match: RouteMatch, onUpgrade: OnUpgrade | undefined): Promise<void> {
  const { call, deployment, around } = exchange;
  const { to } = match.route;
  const balancer = balancerOf(exchange, to.name);
  const tried: Upstream[] = [];
  for (let tries = 0; tries < around.limits.tries && !call.closed; tries += 1) {
    const pool = deployment.service.upstreams?.get(to.name);
    const upstream = pool === undefined || to.kind !== 'workload' ? undefined : balancer.pick(pool, to.port, tried);
    if (upstream === undefined) break;
    const { underWay } = deployment.service;
    balancer.begin(upstream);
    underWay?.begin(upstream.address);
    const outcome = await new Passage(exchange, { upstream, match, onUpgrade }).run();
    balancer.end(upstream, outcome !== 'unreachable');
    underWay?.end(upstream.address);
    if (outcome === 'done') return;
    if (outcome === 'unreachable') tried.push(upstream);
  }
  decline(exchange, refusals.unreachable);
}

function balancerOf({ deployment: { balancers }, around }: Exchange, name: string): Balancer {
  const known = balancers.get(name) ?? new Balancer({ outMs: around.limits.outMs, now: around.now });
  balancers.set(name, known);
  return known;
}
