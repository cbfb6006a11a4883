/**
 * Import directions of the house (docs/ARCHITECTURE.md): proto ← lib ← chain/framework ← x/* ← chain/app, and
 * proto ← lib ← client ← {provider-daemon, cli}; chain/abci imports nothing of ours. An import that cannot be resolved is
 * an error too: without that, one by workspace name would slip through.
 */
const rooms = [
  'proto',
  'lib',
  'chain/abci',
  'chain/framework',
  'x',
  'chain/app',
  'client',
  'provider-daemon',
  'cli',
  'console',
  'e2e',
];

/** From each room, the rooms it may import besides itself. */
const allowed = {
  proto: [],
  lib: ['proto'],
  'chain/abci': [],
  'chain/framework': ['proto', 'lib', 'chain/abci'],
  x: ['proto', 'lib', 'chain/framework'],
  'chain/app': ['proto', 'lib', 'chain/abci', 'chain/framework', 'x'],
  client: ['proto', 'lib'],
  'provider-daemon': ['proto', 'lib', 'client'],
  cli: ['proto', 'lib', 'client'],
  console: ['proto', 'lib', 'client'],
};

const directions = Object.entries(allowed).map(([room, targets]) => {
  const forbidden = rooms.filter((other) => other !== room && !targets.includes(other));
  return {
    name: `${room.replace('/', '-')}-imports`,
    comment: `${room}/ may import only ${targets.length === 0 ? 'itself' : targets.join(', ')}`,
    severity: 'error',
    from: { path: `^${room}/` },
    to: { path: `^(${forbidden.join('|')})/` },
  };
});

module.exports = {
  forbidden: [
    ...directions,
    {
      name: 'modules-apart',
      comment:
        'no module of x/ imports another: it declares what it needs in expected-keepers.ts, chain/app hands it in',
      severity: 'error',
      from: { path: '^x/([^/]+)/src/' },
      to: { path: '^x/', pathNot: '^x/$1/' },
    },
    {
      name: 'no-cycles',
      comment: 'two files that need each other are one file, or lack a third one',
      severity: 'error',
      from: { pathNot: 'node_modules|generated' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'resolvable',
      comment: 'an import that does not resolve cannot be checked',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'tests-stay-tests',
      comment: 'production code does not import from test folders',
      severity: 'error',
      from: { path: '/src/' },
      to: { path: '^(?!node_modules).*/test/' },
    },
    {
      name: 'consensus-no-io',
      comment: 'the consensus side is closed: no I/O modules in lib, chain/framework and x (node:crypto only hashes)',
      severity: 'error',
      from: { path: '^(lib|chain/framework|x/[^/]+)/src/' },
      to: {
        path: '^(node:)?(fs|net|http|https|http2|dns|os|child_process|worker_threads|timers|timers/promises|perf_hooks|process|readline|stream|tls|cluster)$',
      },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)build/' },
    parser: 'swc',
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default'],
      extensions: ['.ts', '.js'],
    },
    moduleSystems: ['es6'],
  },
};
