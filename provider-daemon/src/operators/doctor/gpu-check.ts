/** What containers get of the graphics processors that are offered: whether it is there, and can be handed over. */
import { type GpuDevice, parseDevice } from '../../config/gpus.ts';
import { type Check, fail, ok, type Verdict, warn, worst } from './finding.ts';
import type { Probes } from './probes.ts';

/** As `nvidia-ctk runtime configure` names it. */
const nvidiaRuntime = 'nvidia';

export const gpuCheck: Check = {
  name: 'graphics processors',
  async look({ capacity, offer, containers }, probes) {
    if (!offer.services.includes('mu-workload') || capacity.gpus.length === 0) return undefined;
    const devices = capacity.gpus.flatMap((pool) => (pool.devices ?? []).flatMap((text) => parseDevice(text) ?? []));
    const paths = new Set(devices.flatMap((device) => (device.by === 'paths' ? device.paths : [])));
    const files = await Promise.all([...paths].map((path) => fileVerdict(path, probes)));
    const runtime = devices.some(isNvidia) ? [await runtimeVerdict(containers.socket, probes)] : [];
    const named = devices.length === 1 ? 'the device of one processor' : `the devices of ${devices.length} processors`;
    return worst([...files.flatMap((verdict) => verdict ?? []), ...runtime, ok(`${named} can be handed over`)]);
  },
};

const isNvidia = ({ by }: GpuDevice): boolean => by === 'nvidia';

/** Undefined: all is well. */
async function fileVerdict(path: string, probes: Probes): Promise<Verdict | undefined> {
  const found = await probes.device(path);
  if (found === undefined) {
    return fail(`${path} is no device of this machine`, 'load its driver, or mend the devices of capacity.gpus');
  }
  if (found.openTo !== 'root') return undefined;
  return warn(
    `only root may open ${path}, and containers never run as root`,
    'let a udev rule give it to a group of its own with mode 0660, as the group render has it on most systems',
  );
}

async function runtimeVerdict(socket: string, probes: Probes): Promise<Verdict> {
  const { runtimes } = await probes.engine(socket);
  if (runtimes.includes(nvidiaRuntime)) return ok('the engine knows NVIDIA’s runtime');
  return fail(
    `the engine knows no runtime ${nvidiaRuntime}, only ${runtimes.join(', ')}`,
    'install the NVIDIA Container Toolkit, run `nvidia-ctk runtime configure --runtime=docker`, and restart Docker',
  );
}
