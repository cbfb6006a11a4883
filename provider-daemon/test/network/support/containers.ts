/** Containers of one small image that hold every right over their network: what holds them back is the network alone. */
import type Docker from 'dockerode';
import type { DockerBench } from '../../support/docker.ts';

export interface Placed {
  readonly id: string;
  readonly address: string;
}

export interface Place {
  readonly image: string;
  /** The engine's own `bridge` where it is left out. */
  readonly network?: { readonly name: string; readonly address: string; readonly gateway: string };
  readonly publish?: number;
}

/** Starts a container that greets at port 80. */
export async function place({ docker, label }: DockerBench, where: Place): Promise<Placed> {
  const { image, network, publish } = where;
  const container = await docker.createContainer({
    Labels: { ...label },
    Image: image,
    Cmd: ['nc', '-ll', '-p', '80', '-e', 'echo', 'mu-greeting'],
    ExposedPorts: { '80/tcp': {} },
    HostConfig: {
      // To change its addresses and to send what it likes.
      CapAdd: ['NET_ADMIN', 'NET_RAW'],
      Sysctls: { 'net.ipv6.conf.all.disable_ipv6': '0', 'net.ipv6.conf.default.disable_ipv6': '0' },
      NetworkMode: network?.name ?? 'bridge',
      ...(network === undefined ? {} : { Dns: [network.gateway] }),
      ...(publish === undefined ? {} : { PortBindings: { '80/tcp': [{ HostPort: String(publish) }] } }),
    },
    ...(network === undefined
      ? {}
      : {
          NetworkingConfig: { EndpointsConfig: { [network.name]: { IPAMConfig: { IPv4Address: network.address } } } },
        }),
  });
  await container.start();
  const { NetworkSettings } = await container.inspect();
  const address = Object.values(NetworkSettings.Networks)[0]?.IPAddress ?? '';
  return { id: container.id, address };
}

/** Runs a script in a container to its end. @returns what it printed */
export async function run(docker: Docker, { id }: Placed, script: string): Promise<string> {
  const exec = await docker.getContainer(id).exec({
    Cmd: ['sh', '-c', script],
    AttachStdout: true,
    AttachStderr: true,
    Tty: true,
  });
  const stream = await exec.start({ Tty: true });
  const chunks: Buffer[] = [];
  for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

/** Each probe is a command that succeeds where its target answers. */
export type Probes = Readonly<Record<string, string>>;

export const tcp = (address: string, port: number): string =>
  `nc -w 1 ${address} ${port} </dev/null | grep -q mu-greeting`;
export const ping = (address: string): string => `ping -c 1 -W 1 ${address} >/dev/null`;
export const lookUp = (name: string, server: string, address: string): string =>
  `timeout 2 nslookup -type=a ${name} ${server} | grep -q "${address}$"`;

/** Tries all probes at once. @returns the names of those that got an answer, sorted */
export async function reached(docker: Docker, from: Placed, probes: Probes): Promise<string[]> {
  const tries = Object.entries(probes).map(([name, command]) => `( ${command} ) 2>/dev/null && echo "=${name}=" &`);
  const output = await run(docker, from, `${tries.join('\n')}\nwait`);
  return Object.keys(probes)
    .filter((name) => output.includes(`=${name}=`))
    .sort();
}
