import { derive, refusal } from './derived.ts';

test('an infrastructure refuses Workloads that need more than it buys, replicas and volumes counted', () => {
  const workload =
    '{ type: Workload, name: w, container: c, count: 2, compute: { cpu: 300, memory: 64MiB }, volumes: [{ name: v, path: /v, size: 128MiB }] }';
  const text = (cpu: number, disk = '256MiB') =>
    `name: A\nversion: 1\nservices: [${workload}]\ninfrastructure: [{ name: main, region: eu-west, resources: [{ compute: { cpu: ${cpu}, memory: 64MiB, disk: ${disk} }, price: 1, count: 2 }] }]\n`;
  expect(derive({}, { text: text(300) }).infrastructure[0]!.resources[0]!.count).toBe(2);
  expect(refusal(() => derive({}, { text: text(299) }))).toMatchObject({
    code: 'too_small',
    message: expect.stringMatching(/main: its Workloads take 600000 .* of cpu, .* 598000/),
  });
  expect(refusal(() => derive({}, { text: text(300, '127MiB') })).message).toContain('of disk');
});

test('an infrastructure refuses Workloads whose gpus are more than it buys, or others', () => {
  const text = (gpu: string, resource: string, replicas = 2) =>
    `name: A\nversion: 1\nservices: [{ type: Workload, name: w, container: c, count: 2, compute: { cpu: 1, memory: 64MiB, gpu: { ${gpu} } } }]\ninfrastructure: [{ name: main, region: eu-west, resources: [{ compute: { cpu: 2, memory: 1GiB, disk: 1GiB, gpu: { ${resource} } }, price: 1, count: ${replicas} }] }]\n`;
  const why = (...of: Parameters<typeof text>) => refusal(() => derive({}, { text: text(...of) })).message;
  const a100 = 'vendor: nvidia, model: a100';
  expect(derive({}, { text: text(`count: 1, ${a100}`, `count: 2, ${a100}`, 1) }).infrastructure).toHaveLength(1);
  expect(why(`count: 2, ${a100}`, `count: 1, ${a100}`, 3)).toMatch(
    /main: its Workloads take 4 gpu \(nvidia\/a100\), its resources have 3: name the same/,
  );
  expect(why(`count: 2, ${a100}`, `count: 1, ${a100}`, 4)).toContain('an instance of w takes 2 gpu (nvidia/a100), one');
  expect(why(`count: 1, ${a100}`, 'count: 1')).toContain('take 2 gpu (nvidia/a100), its resources have 0');
  expect(why('count: 1', `count: 1, ${a100}`)).toContain('take 2 gpu (any vendor/any model), its resources have 0');
});
