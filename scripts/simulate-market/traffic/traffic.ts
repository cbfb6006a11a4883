/** Messages one after the other: who says what next, and how likely. */
import { providerStates } from '../model/providers.ts';
import * as deployments from './deployments.ts';
import * as market from './market.ts';
import * as money from './money.ts';
import { params } from './params.ts';
import * as providers from './providers.ts';
import type { Plan, Scene } from './scene.ts';

type Maker = (scene: Scene) => Plan | undefined;

/** [how likely, who makes it] */
const makers: readonly (readonly [number, Maker])[] = [
  [6, providers.registerAnother],
  [4, providers.update],
  [6, providers.publish],
  [8, providers.addNode],
  [3, providers.removeNode],
  [3, providers.deregister],
  [4, providers.attest],
  [22, deployments.deploy],
  [16, deployments.update],
  [4, deployments.cancel],
  [80, market.bid],
  [8, market.cancelBid],
  [4, market.matchByHand],
  [4, market.breakByHand],
  [20, market.confirm],
  [12, market.confirmMany],
  [10, market.rescue],
  [10, market.close],
  [4, market.closeAfterNotice],
  [9, market.leave],
  [26, money.deposit],
  [14, money.withdraw],
  [55, money.usage],
  [5, params],
];

const all = makers.reduce((sum, [weight]) => sum + weight, 0);

/** The next message; where one has nothing to say, another speaks. */
export function nextPlan(scene: Scene): Plan {
  const { chance, world, actors } = scene;
  // A market without providers stands still.
  const active = world.lists.provider.filter(({ state }) => state === providerStates.active).length;
  if (active < actors.providers.length / 2 && chance.once(3)) return providers.register(scene);
  // What is not confirmed in time is broken: leases grow old only where somebody mostly cares.
  if (!chance.once(6)) {
    const plan = market.rescue(scene);
    if (plan !== undefined) return plan;
  }
  for (;;) {
    const plan = draw(chance.below(all))(scene);
    if (plan !== undefined) return plan;
  }
}

function draw(at: number): Maker {
  let left = at;
  for (const [weight, maker] of makers) {
    if (left < weight) return maker;
    left -= weight;
  }
  return params;
}
