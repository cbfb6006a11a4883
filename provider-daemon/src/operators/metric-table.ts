/** All figures of the daemon for Prometheus, beside prom-client's about the process (`process_…`, `nodejs_…`). */

export interface MetricRow {
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  /** few values each, and none that a tenant chooses; a lease is its number */
  readonly labels: readonly string[];
}

export const metricTable = [
  {
    name: 'mu_provider_leases',
    type: 'gauge',
    help: 'Live leases by state on the chain (active, out_of_funds) and where their work stands here (waiting, starting, running, failed, …)',
    labels: ['state', 'work'],
  },
  { name: 'mu_provider_bids_open', type: 'gauge', help: 'Bids that stand, or are on their way', labels: [] },
  {
    name: 'mu_provider_bids_total',
    type: 'counter',
    help: 'Bids that are over since the start, by outcome: won, lost or canceled',
    labels: ['outcome'],
  },
  {
    name: 'mu_provider_cpu_cores',
    type: 'gauge',
    help: 'Cores by use: offered, leased, reserved (by open bids) and free',
    labels: ['use'],
  },
  {
    name: 'mu_provider_memory_bytes',
    type: 'gauge',
    help: 'Memory by use: offered, leased, reserved (by open bids) and free',
    labels: ['use'],
  },
  {
    name: 'mu_provider_disk_bytes',
    type: 'gauge',
    help: 'Disk by use: offered, leased, reserved (by open bids) and free',
    labels: ['use'],
  },
  {
    name: 'mu_provider_gpus',
    type: 'gauge',
    help: 'Graphics processors by vendor, model and use: offered, leased, reserved (by open bids) and free',
    labels: ['vendor', 'model', 'use'],
  },
  {
    name: 'mu_provider_collateral_base_units',
    type: 'gauge',
    help: 'Collateral that is locked, in the base denomination, by what holds it: leases or bids',
    labels: ['held_by'],
  },
  { name: 'mu_provider_chain_height', type: 'gauge', help: 'Last block of which the watch has told', labels: [] },
  { name: 'mu_provider_node_height', type: 'gauge', help: 'Newest block of the node', labels: [] },
  {
    name: 'mu_provider_last_block_age_seconds',
    type: 'gauge',
    help: 'Time since the newest block of the node, by its header; absent before the node has answered',
    labels: [],
  },
  {
    name: 'mu_provider_light_view_age_seconds',
    type: 'gauge',
    help: 'Time since the newest proved block, by its header; absent before one was proved',
    labels: [],
  },
  { name: 'mu_provider_chain_up', type: 'gauge', help: '1 while the node answers', labels: [] },
  { name: 'mu_provider_registered', type: 'gauge', help: '1 while the provider is on the chain', labels: [] },
  {
    name: 'mu_provider_sequence_resyncs_total',
    type: 'counter',
    help: 'Transactions whose account sequence was not the next one, so that it was asked for anew',
    labels: [],
  },
  {
    name: 'mu_provider_transactions_total',
    type: 'counter',
    help: 'Transactions of the operator by result: committed, failed (in a block), refused (by the node) or pending (not known when it was no longer waited for)',
    labels: ['result'],
  },
  { name: 'mu_provider_starts_total', type: 'counter', help: 'Manifests whose workloads were started', labels: [] },
  {
    name: 'mu_provider_start_failures_total',
    type: 'counter',
    help: 'Manifests whose workloads could not be started, by reason: manifest, other, or as drivers say it (invalid, image, unhealthy, failed, …)',
    labels: ['reason'],
  },
  {
    name: 'mu_provider_instances',
    type: 'gauge',
    help: 'Container instances by state: starting, ready, unhealthy, backing_off or ended',
    labels: ['state'],
  },
  { name: 'mu_provider_manifest_peers', type: 'gauge', help: 'Connections with other participants', labels: [] },
  {
    name: 'mu_provider_manifest_downloads',
    type: 'gauge',
    help: 'Manifests of which something is being taken from other participants',
    labels: [],
  },
  {
    name: 'mu_provider_manifests_taken_total',
    type: 'counter',
    help: 'Manifests that came from other participants, whole or in part',
    labels: [],
  },
  {
    name: 'mu_provider_manifest_piece_bytes_total',
    type: 'counter',
    help: 'Bytes of pieces that were sent to and received from other participants, by direction',
    labels: ['direction'],
  },
  {
    name: 'mu_provider_manifest_peers_dropped_total',
    type: 'counter',
    help: 'Participants that were dropped, by reason: false-piece, flood, timeouts, not-admitted, …',
    labels: ['reason'],
  },
  {
    name: 'mu_provider_manifest_peers_refused_total',
    type: 'counter',
    help: 'Who asked for manifests and was not let in, by reason: no_lease, other_root, expired, …',
    labels: ['reason'],
  },
  {
    name: 'mu_provider_instance_restarts_total',
    type: 'counter',
    help: 'Container instances that ended by themselves and were started again',
    labels: [],
  },
  {
    name: 'mu_provider_instance_memory_kills_total',
    type: 'counter',
    help: 'Container instances that were killed at their memory limit and started again',
    labels: [],
  },
  {
    name: 'mu_provider_container_engine_up',
    type: 'gauge',
    help: '1 while the container engine answers; absent where no containers are offered',
    labels: [],
  },
  { name: 'mu_provider_data_plane_up', type: 'gauge', help: '1 while the data plane answers', labels: [] },
  {
    name: 'mu_provider_data_plane_start_timestamp_seconds',
    type: 'gauge',
    help: 'When the process of the data plane began, in seconds since 1970; absent while it is away',
    labels: [],
  },
  { name: 'mu_provider_gateway_connections', type: 'gauge', help: 'Open connections at the gateway', labels: [] },
  { name: 'mu_provider_gateway_calls', type: 'gauge', help: 'Requests under way at the gateway', labels: [] },
  { name: 'mu_provider_gateway_websockets', type: 'gauge', help: 'Open websockets', labels: [] },
  {
    name: 'mu_provider_gateway_refused_connections_total',
    type: 'counter',
    help: 'Connections that the gateway refused, or closed to make room for another, since the data plane began',
    labels: [],
  },
  {
    name: 'mu_provider_gateway_refusals_total',
    type: 'counter',
    help: 'Requests that the gateway refused by itself, by its word for the reason (busy, unknown_deployment, …), since the data plane began',
    labels: ['reason'],
  },
  {
    name: 'mu_provider_relays',
    type: 'gauge',
    help: 'Addresses at which connections between workloads, and at public ports, are taken',
    labels: [],
  },
  {
    name: 'mu_provider_relay_connections',
    type: 'gauge',
    help: 'Connections and sessions that are open at relays',
    labels: [],
  },
  {
    name: 'mu_provider_relay_connections_total',
    type: 'counter',
    help: 'Connections and sessions at relays by result: accepted, refused (beyond a limit) or failed (no instance took them), since the data plane began',
    labels: ['result'],
  },
  {
    name: 'mu_provider_relay_bytes_total',
    type: 'counter',
    help: 'Bytes through relays by direction: received from clients, sent to them; since the data plane began',
    labels: ['direction'],
  },
  {
    name: 'mu_provider_tunnels',
    type: 'gauge',
    help: 'Tunnels to workloads at other nodes by state: up or down',
    labels: ['state'],
  },
  {
    name: 'mu_provider_tunnel_streams',
    type: 'gauge',
    help: 'Connections and flows of datagrams that are open in tunnels',
    labels: [],
  },
  {
    name: 'mu_provider_tunnel_streams_total',
    type: 'counter',
    help: 'Connections and flows of datagrams in tunnels by result: opened or failed (nobody took them, or there were too many), since the data plane began',
    labels: ['result'],
  },
  {
    name: 'mu_provider_tunnel_bytes_total',
    type: 'counter',
    help: 'Payload through tunnels by direction: received from peers, sent to them; since the data plane began',
    labels: ['direction'],
  },
  {
    name: 'mu_provider_tunnel_refused_peers_total',
    type: 'counter',
    help: 'Peers that dialled and were not admitted to a tunnel, or could not do the handshake, since the data plane began',
    labels: [],
  },
  {
    name: 'mu_provider_sandboxes',
    type: 'gauge',
    help: 'Processes in which functions run, those included that wait for one',
    labels: [],
  },
  {
    name: 'mu_provider_gateway_requests_total',
    type: 'counter',
    help: 'Requests at the gateway by lease, since it was first served here',
    labels: ['lease'],
  },
  {
    name: 'mu_provider_gateway_bytes_total',
    type: 'counter',
    help: 'Bytes through the gateway by lease, since it was first served here',
    labels: ['lease'],
  },
  {
    name: 'mu_provider_certificate_expiry_timestamp_seconds',
    type: 'gauge',
    help: 'When a certificate ends, in seconds since 1970: node_certificate or root_certificate',
    labels: ['certificate'],
  },
  {
    name: 'mu_provider_entry_expiry_height',
    type: 'gauge',
    help: 'Last block at which an entry of this provider on the chain holds: root_entry, node_entry or encryption_key; absent where it has no end',
    labels: ['entry'],
  },
  {
    name: 'mu_provider_balance_base_units',
    type: 'gauge',
    help: 'Balance in the base denomination by account: owner or operator; looked at once a minute',
    labels: ['account'],
  },
  {
    name: 'mu_provider_confirmations_late_blocks',
    type: 'gauge',
    help: 'Blocks since the oldest confirmation of a lease became due; 0 where none is late',
    labels: [],
  },
  {
    name: 'mu_provider_confirmation_deadline_blocks',
    type: 'gauge',
    help: 'Blocks that are left to confirm the lease whose deadline is next; absent without a lease',
    labels: [],
  },
  {
    name: 'mu_provider_usage_reports_pending',
    type: 'gauge',
    help: 'Usage reports that are signed and not known to be taken by the chain',
    labels: [],
  },
  { name: 'mu_provider_draining', type: 'gauge', help: '1 while no new leases are wanted', labels: [] },
] as const satisfies readonly MetricRow[];

export type MetricName = (typeof metricTable)[number]['name'];
