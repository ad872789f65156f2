// containers' registries.conf: which files count, what a table means, and what is said of one that is wrong.
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { formatRepository, parseRepository } from '../../src/reference/reference.ts';
import { expandAlias, readRegistriesConf, registriesTexts } from '../../src/registry/registries-conf.ts';
import { findEntry, relocate } from '../../src/registry/registries-conf-entry.ts';
import { createRoutes, type Route } from '../../src/registry/route.ts';
import { settingsFolder } from '../support/settings-folder.ts';

const home = settingsFolder();
const { write } = home;

const conf = (text: string): string => write('registries.conf', text);

async function route(text: string, name: string, access: 'pull' | 'push' = 'pull'): Promise<Route> {
  return await createRoutes({ file: conf(text), hostsFolders: [] }).to(parseRepository(name), access);
}

const places = ({ mirrors, origin }: Route): string[] =>
  [...mirrors, origin].map(({ name }) => formatRepository(name));

describe('which files count', () => {
  it('nothing configured: nothing read', () => {
    expect(
      registriesTexts(undefined, {
        HOME: join(home.path, 'nobody'),
        CONTAINERS_REGISTRIES_CONF: join(home.path, 'none'),
      }),
    ).toEqual([]);
  });

  it('$CONTAINERS_REGISTRIES_CONF alone, when it is set', () => {
    const path = write('mine.conf', 'a = 1');
    write('.config/containers/registries.conf', 'b = 1');
    const texts = registriesTexts(undefined, { HOME: home.path, CONTAINERS_REGISTRIES_CONF: path });
    expect(texts).toEqual([{ path, text: 'a = 1' }]);
  });

  it("a user's file with its drop-ins in order, and none of the system's", () => {
    const main = write('.config/containers/registries.conf', 'a = 1');
    const second = write('.config/containers/registries.conf.d/20.conf', 'c = 1');
    const first = write('.config/containers/registries.conf.d/10.conf', 'b = 1');
    write('.config/containers/registries.conf.d/30.conf.bak', 'd = 1');
    write('.config/containers/registries.conf.d/40.conf', '# nothing but a remark\n');
    const texts = registriesTexts(undefined, { HOME: home.path });
    expect(texts.map(({ path }) => path)).toEqual([main, first, second]);
  });

  it('a later file replaces the table of the same prefix', async () => {
    const entries = await readRegistriesConf([
      {
        path: 'a',
        text: '[[registry]]\nprefix = "a.example"\nblocked = true\n[[registry]]\nprefix = "b.example"\n',
      },
      { path: 'b', text: '[[registry]]\nlocation = "a.example"' },
    ]);
    expect(entries.map(({ prefix, blocked }) => [prefix, blocked])).toEqual([
      ['a.example', false],
      ['b.example', false],
    ]);
  });
});

describe('names and places', () => {
  const table = `
    [[registry]]
    prefix = "example.com/foo"
    location = "internal.example.net/bar"
    [[registry.mirror]]
    location = "mirror-0.local/mirror-for-foo"
    [[registry.mirror]]
    location = "mirror-1.local:5000/mirrors/foo"
    insecure = true
    [[registry]]
    prefix = "example.com/foo/deep"
    location = "deep.example.net"
    [[registry]]
    prefix = "*.corp.example"
    [[registry.mirror]]
    location = "cache.local/corp"
    [[registry]]
    prefix = "*.lab.corp.example"
    location = "lab.local"
    [[registry]]
    location = "docker.io"
    [[registry.mirror]]
    location = "hub.local"
  `;

  it.each([
    [
      'example.com/foo/image',
      [
        'mirror-0.local/mirror-for-foo/image',
        'mirror-1.local:5000/mirrors/foo/image',
        'internal.example.net/bar/image',
      ],
    ],
    [
      'example.com/foo',
      ['mirror-0.local/mirror-for-foo', 'mirror-1.local:5000/mirrors/foo', 'internal.example.net/bar'],
    ],
    // A prefix ends at a slash.
    ['example.com/food/image', ['example.com/food/image']],
    ['example.com:5000/foo/image', ['example.com:5000/foo/image']],
    // The longest prefix alone counts.
    ['example.com/foo/deep/image', ['deep.example.net/image']],
    ['a.corp.example/x', ['cache.local/corp/x', 'a.corp.example/x']],
    ['a.b.corp.example:443/x/y', ['cache.local/corp/x/y', 'a.b.corp.example:443/x/y']],
    ['corp.example/x', ['corp.example/x']],
    ['notcorp.example/x', ['notcorp.example/x']],
    ['one.lab.corp.example/x', ['lab.local/x']],
    ['alpine', ['hub.local/library/alpine', 'docker.io/library/alpine']],
    ['registry-1.docker.io/a/b', ['hub.local/a/b', 'docker.io/a/b']],
  ])('%s is asked for at %j', async (name, expected) => {
    expect(places(await route(table, name))).toEqual(expected);
  });

  it('pushes go to the name itself, mirrors and another location notwithstanding', async () => {
    expect(places(await route(table, 'example.com/foo/image', 'push'))).toEqual(['example.com/foo/image']);
  });

  it('a location that makes no name of it is an error of the file', async () => {
    const [entry] = await readRegistriesConf([
      { path: 'f', text: '[[registry]]\nprefix="a.example/b"\nlocation="c.example"' },
    ]);
    const name = parseRepository('a.example/b');
    expect(entry && findEntry([entry], name)).toBe(entry);
    expect(() => entry && relocate(entry, name, entry.location)).toThrow(
      expect.objectContaining({
        code: 'SETTINGS_INVALID',
        message: expect.stringContaining('f:1: a.example/b becomes c.example'),
      }),
    );
  });

  it.each([
    ['mirror-by-digest-only = true', '', { tags: false, digests: true }],
    ['', '', { tags: true, digests: true }],
    ['', 'pull-from-mirror = "all"', { tags: true, digests: true }],
    ['', 'pull-from-mirror = ""', { tags: true, digests: true }],
    ['', 'pull-from-mirror = "digest-only"', { tags: false, digests: true }],
    ['', 'pull-from-mirror = "tag-only"', { tags: true, digests: false }],
  ])('a mirror with %j %j', async (ofRegistry, ofMirror, expected) => {
    const text = `[[registry]]\nlocation = "a.example"\n${ofRegistry}\n[[registry.mirror]]\nlocation = "m.local"\n${ofMirror}`;
    expect((await route(text, 'a.example/b')).mirrors).toEqual([expect.objectContaining(expected)]);
  });

  it('what is insecure is so for its own place only', async () => {
    const { mirrors, origin } = await route(table, 'example.com/foo/image');
    expect([...mirrors, origin].map(({ tls }) => tls.insecure)).toEqual([undefined, true, undefined]);
    const other = await route('[[registry]]\nlocation = "a.example"\ninsecure = true', 'a.example/b', 'push');
    expect(other.origin.tls.insecure).toBe(true);
  });
});

describe('blocked', () => {
  const text = '\n[[registry]]\nprefix = "evil.example/team"\nblocked = true\n';

  it.each(['pull', 'push'] as const)('a %s is refused, and the file named', async (access) => {
    await expect(route(text, 'evil.example/team/app', access)).rejects.toMatchObject({
      code: 'DENIED',
      message: 'evil.example/team/app: blocked by the configuration of this machine',
      hint: expect.stringContaining(`${join(home.path, 'registries.conf')}:2 blocks evil.example/team`),
    });
  });

  it('its neighbours are not', async () => {
    expect(places(await route(text, 'evil.example/teams/app'))).toEqual(['evil.example/teams/app']);
  });

  it('a rule for one tag is not passed over: it may be a block', async () => {
    const one = '[[registry]]\nprefix = "a.example/b:1"\nblocked = true';
    await expect(route(one, 'a.example/b')).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    expect(places(await route(one, 'a.example/c'))).toEqual(['a.example/c']);
  });
});

describe('errors name the file, the line and what was expected', () => {
  it.each([
    [
      '[[registry]]\nlocation = "a.example"\n\nblocked = "yes"',
      ':4: registry.blocked: expected true or false',
    ],
    [
      '[[registry]]\nlocation = "a.example"\n[[registry]]\nprefix = 5',
      ':4: registry.prefix: expected a string',
    ],
    [
      '[[registry]]\nlocation = "a.example"\n[[registry.mirror]]\nlocation = "m.local"\n[[registry.mirror]]\ninsecure = 1\nlocation = "n.local"',
      ':6: registry.mirror.insecure: expected true or false',
    ],
    [
      '[[registry]]\nlocation = "a.example"\n[[registry.mirror]]\ninsecure = true',
      ':3: registry.mirror.location: expected HOST[:PORT][/PATH]',
    ],
    [
      '[[registry]]\nlocation = "https://a.example"',
      ':2: registry.location: expected HOST[:PORT][/PATH], without https://',
    ],
    ['[[registry]]\nblocked = true', ':1: registry.prefix: expected HOST[:PORT][/PATH] here or as location'],
    [
      '[[registry]]\nprefix = "*.a.example/b"',
      ':2: registry.prefix: expected HOST[:PORT][/PATH] or *.DOMAIN',
    ],
    [
      '[[registry]]\nlocation = "a.example"\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = "m.local"\npull-from-mirror = "all"',
      ':6: registry.mirror.pull-from-mirror: expected nothing, as mirror-by-digest-only is set for all mirrors',
    ],
    [
      '[[registry]]\nlocation = "a.example"\n[[registry.mirror]]\nlocation = "m.local"\npull-from-mirror = "sometimes"',
      ':5: registry.mirror.pull-from-mirror: expected one of all, digest-only, tag-only',
    ],
    ['[registry]\nlocation = "a.example"', ':1: registry: expected tables, each begun with [[registry]]'],
    ['[[registry]]\nlocation = a.example', ':2:12: not TOML: '],
    ["[registries.block]\nregistries = ['a.example']", ': [registries] is of version 1 of this format'],
  ])('%j', async (text, expected) => {
    await expect(route(text, 'alpine')).rejects.toMatchObject({
      code: 'SETTINGS_INVALID',
      message: expect.stringContaining(join(home.path, 'registries.conf') + expected),
    });
  });
});

describe('aliases', () => {
  const texts = [
    {
      path: 'first',
      text: '[aliases]\n"fedora" = "registry.fedoraproject.org/fedora"\n"gone" = "a.example/gone"\n"team/tool" = "quay.io/team/tool"',
    },
    {
      path: 'second',
      text: '[aliases]\n"gone" = ""\n"moved" = "b.example/moved"\n"busybox" = "x.example/y"',
    },
    { path: 'third', text: '[aliases]\nbusybox = "docker.io/library/busybox"' },
    { path: 'fourth', text: 'aliases = { inline = "quay.io/inline" }' },
  ];

  it.each([
    ['fedora', 'registry.fedoraproject.org/fedora'],
    ['fedora:42', 'registry.fedoraproject.org/fedora:42'],
    [`fedora@sha256:${'a'.repeat(64)}`, `registry.fedoraproject.org/fedora@sha256:${'a'.repeat(64)}`],
    ['team/tool:1', 'quay.io/team/tool:1'],
    ['moved', 'b.example/moved'],
    // An empty value takes an alias away.
    ['gone', 'gone'],
    ['alpine', 'alpine'],
    // What a later file says again is what holds.
    ['busybox', 'docker.io/library/busybox'],
    ['inline', 'quay.io/inline'],
    // With a host there is nothing short about a name.
    ['localhost/fedora', 'localhost/fedora'],
    ['docker.io/fedora', 'docker.io/fedora'],
    ['library/fedora', 'library/fedora'],
    ['constructor', 'constructor'],
  ])('%s is %s', async (name, expected) => {
    expect(await expandAlias(name, texts)).toBe(expected);
  });

  it('one that leads nowhere is an error of the file', async () => {
    const wrong = [{ path: 'f', text: '[aliases]\n\n"x" = "y"' }];
    await expect(expandAlias('x', wrong)).rejects.toMatchObject({
      code: 'SETTINGS_INVALID',
      message: 'f:3: aliases.x: expected HOST/NAME without tag or digest',
    });
  });
});
