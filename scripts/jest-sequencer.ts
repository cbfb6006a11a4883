/** The order of test files: those that take longest first, so that none of them is left alone at the end. */
import TestSequencer from '@jest/test-sequencer';

// Its types are those of a CommonJS module, the module that is loaded is an ES one.
const Base = TestSequencer as unknown as typeof TestSequencer.default;
type Test = Parameters<InstanceType<typeof Base>['sort']>[0][number];

/** Of what takes half a minute or more in a run of `scripts/test` on two cores, the longest first. */
const long = [
  'e2e/test/container-faults',
  'e2e/test/localnet',
  'e2e/test/sharing',
  'e2e/test/photon',
  'e2e/test/demo.',
  'e2e/test/demo-photon',
  'e2e/test/standby',
  'e2e/test/tenant-containers',
  'e2e/test/demo-containers',
  'e2e/test/tenant.',
  'e2e/test/state-sync',
  'e2e/test/provider-faults',
  'e2e/test/operators',
  'e2e/test/bad-input',
  'e2e/test/mucli-market',
  'workloads/container/gpus',
  'workloads/container/life',
  'workloads/wasm-driver',
  'scripts/simulate-market/test/short',
  'workloads/container/faults',
  'workloads/container/restrictions',
  'gateway/gateway.test',
  'workloads/container-driver',
  'chain/app/test/crash',
  'network/reach',
  'workloads/container/images',
  'snapshots/fuzz',
];

const rank = ({ path }: Test): number => {
  const at = long.findIndex((part) => path.includes(part));
  return at < 0 ? long.length : at;
};

export default class LongestFirst extends Base {
  override async sort(tests: Test[]): Promise<Test[]> {
    // The rest by what jest knows of them: how long they took, or how large they are.
    return [...(await super.sort(tests))].sort((a, b) => rank(a) - rank(b));
  }
}
