/** Settings about graphics processors: what there is, what is handed over for each of them, and what they cost. */
import type { Dec } from '@mu/lib/dec';
import { decimal, inlineTable, isTable, type Kind, quoted, splitOnce, whole } from './kinds.ts';

const gpuName = /^[a-z0-9][a-z0-9.-]{0,62}\/[a-z0-9][a-z0-9.-]{0,62}$/;

/** Decimals by model of graphics processor: `"nvidia/a100" = "400"`, ascending; in a text `nvidia/a100=400,…`. */
export const gpuPrices: Kind<readonly { readonly name: string; readonly price: Dec }[]> = {
  form: 'a table of "vendor/model" = "umu as a decimal", in lower case',
  read: (value) => {
    if (!isTable(value)) return undefined;
    const list = Object.entries(value).map(([name, text]) => ({ name, price: decimal.read(text) }));
    const right = list.filter(
      (one): one is { name: string; price: Dec } => one.price !== undefined && gpuName.test(one.name),
    );
    return right.length === list.length ? right.sort((a, b) => (a.name < b.name ? -1 : 1)) : undefined;
  },
  fromText: (text) =>
    Object.fromEntries(text.split(',').flatMap((pair) => (pair === '' ? [] : [splitOnce(pair, '=')]))),
  write: (value) => inlineTable(value.map(({ name, price }) => [name, decimal.write(price)])),
};

/** What a container gets for one processor. */
export type GpuDevice =
  /** An index, or an id like `GPU-…`, that NVIDIA’s runtime knows. */
  | { readonly by: 'nvidia'; readonly id: string }
  /** Device files of this machine. */
  | { readonly by: 'paths'; readonly paths: readonly string[] };

/** NVIDIA’s runtime also knows `all`: nobody gets that. A slice of a processor (MIG) is `MIG-…` or `0:1`. */
const nvidiaId = /^(?:\d{1,4}(?::\d{1,4})?|(?:GPU|MIG)-[0-9A-Za-z][0-9A-Za-z/-]{0,79})$/;
/** Below /dev alone: elsewhere in a container devices cannot be opened. */
const devicePath = /^\/dev(?:\/[A-Za-z0-9][A-Za-z0-9._:-]{0,63}){1,8}$/;
const mostPaths = 16;

/** `nvidia:GPU-…`, `nvidia:0`, or paths joined by `+`: `/dev/dri/renderD128+/dev/kfd`. @returns undefined for others */
export function parseDevice(text: string): GpuDevice | undefined {
  if (text.startsWith('nvidia:')) {
    const id = text.slice('nvidia:'.length);
    return nvidiaId.test(id) ? { by: 'nvidia', id } : undefined;
  }
  const paths = text.split('+');
  const isRight = paths.length <= mostPaths && paths.every((path) => devicePath.test(path));
  return isRight && new Set(paths).size === paths.length ? { by: 'paths', paths } : undefined;
}

/** Equal graphics processors of the machine. */
export interface GpuSetting {
  readonly vendor: string;
  readonly model: string;
  /** At least 1. */
  readonly count: number;
  /** What containers get, one for each of the processors; each as `parseDevice` reads it. */
  readonly devices?: readonly string[];
}

const gpuCount = whole(1, 1_024);

/**
 * A list of `{ vendor = "nvidia", model = "a100", count = 2, devices = ["nvidia:0", "nvidia:1"] }`, each model once; in a
 * text `nvidia/a100=2@nvidia:0@nvidia:1,…`.
 */
export const gpus: Kind<readonly GpuSetting[]> = {
  form: 'a list of { vendor, model, count, devices }, names in lower case, counts from 1 to 1024, each model once; devices are texts, each once, nvidia:<index or id> or paths below /dev joined by +',
  read: (value) => {
    const list = Array.isArray(value) ? value.map(readGpu) : [undefined];
    if (!list.every((gpu) => gpu !== undefined)) return undefined;
    const devices = list.flatMap((gpu) => gpu.devices ?? []);
    return isDistinct(list.map(nameOf)) && isDistinct(devices) ? list : undefined;
  },
  fromText: (text) =>
    text.split(',').flatMap((item) => {
      const [name, rest] = splitOnce(item, '=');
      const [vendor, model] = splitOnce(name, '/');
      const [amount = '', ...devices] = rest.split('@').map((part) => part.trim());
      const named = devices.length === 0 ? {} : { devices };
      return item === '' ? [] : [{ vendor, model, count: gpuCount.fromText(amount), ...named }];
    }),
  write: (value) =>
    `[${value
      .map(({ vendor, model, count, devices }) =>
        inlineTable([
          ['vendor', quoted(vendor)],
          ['model', quoted(model)],
          ['count', String(count)],
          ...(devices === undefined ? [] : [['devices', `[${devices.map(quoted).join(', ')}]`] as const]),
        ]),
      )
      .join(', ')}]`,
};

function readGpu(value: unknown): GpuSetting | undefined {
  if (!isTable(value)) return undefined;
  const { vendor, model, count: amount, devices, ...unknown } = value;
  const count = gpuCount.read(amount);
  if (typeof vendor !== 'string' || typeof model !== 'string' || count === undefined) return undefined;
  if (!gpuName.test(`${vendor}/${model}`) || Object.keys(unknown).length > 0) return undefined;
  if (devices === undefined) return { vendor, model, count };
  return isDevices(devices) ? { vendor, model, count, devices } : undefined;
}

function isDevices(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string' && parseDevice(one) !== undefined);
}

const nameOf = ({ vendor, model }: GpuSetting): string => `${vendor}/${model}`;
const isDistinct = (texts: readonly string[]): boolean => new Set(texts).size === texts.length;

/** What is wrong with processors whose settings are well each by itself, one sentence each. @param services that are offered */
export function gpuProblems(pools: readonly GpuSetting[], services: readonly string[]): string[] {
  return pools.flatMap((pool) => {
    const { count, devices } = pool;
    if (devices === undefined) {
      if (!services.includes('mu-workload')) return [];
      return [
        `capacity.gpus offers ${nameOf(pool)} to containers (mu-workload), but names no devices: without them a container would get nothing of what it pays for; name ${count}, like devices = ["nvidia:0"] or ["/dev/dri/renderD128+/dev/kfd"]`,
      ];
    }
    if (devices.length === count) return [];
    return [
      `capacity.gpus has ${count} of ${nameOf(pool)}, and devices for ${devices.length}: name one text for each processor`,
    ];
  });
}
