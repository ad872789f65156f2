// containers' registries.conf, version 2: which files there are and how they add up (containers-registries.conf(5), .conf.d(5)).
import { readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileError, OciError, systemCode } from '../errors.ts';
import { splitReference } from '../reference/grammar.ts';
import { formatRepository, hasHost, parseRepository } from '../reference/reference.ts';
import { type RegistryEntry, readEntry } from './registries-conf-entry.ts';
import { fieldsOf, parseToml, readSettings, type TomlFile } from './toml-file.ts';

/** A file that says something, not parsed yet. */
export interface SettingsText {
  path: string;
  text: string;
}

/** The main files a user or the system may have, the first of them counts, and folders of additions to it. */
interface Candidates {
  main: string[];
  dropIns: string[];
}

const SYSTEM = '/etc/containers';

/** Where to look. `file`, or `$CONTAINERS_REGISTRIES_CONF`, is then the only one. */
function candidates(file: string | undefined, env: NodeJS.ProcessEnv): Candidates {
  const only = file ?? env.CONTAINERS_REGISTRIES_CONF;
  if (only) return { main: [only], dropIns: [] };
  const user = join(env.XDG_CONFIG_HOME || join(env.HOME || homedir(), '.config'), 'containers');
  return {
    main: [join(user, 'registries.conf'), join(SYSTEM, 'registries.conf')],
    dropIns: [join(SYSTEM, 'registries.conf.d'), join(user, 'registries.conf.d')],
  };
}

/** The texts in the order they count in. Four failing calls of the system where nothing is configured. */
export function registriesTexts(file?: string, env: NodeJS.ProcessEnv = process.env): SettingsText[] {
  const { main, dropIns } = candidates(file, env);
  const texts: SettingsText[] = [];
  function add(path: string): boolean {
    const text = readSettings(path);
    if (text !== undefined) texts.push({ path, text });
    return text !== undefined;
  }
  const used = main.find(add);
  // A user's own file replaces the system's, with what is added to it.
  const folders = used !== undefined && used === main[0] ? dropIns.slice(-1) : dropIns;
  for (const folder of folders) for (const name of confNames(folder)) add(join(folder, name));
  return texts;
}

function confNames(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith('.conf'))
      .sort();
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw fileError(error, folder);
  }
}

/** The `[[registry]]` tables of all files; of two with one prefix the later counts. Throws SETTINGS_INVALID, PERMISSION. */
export async function readRegistriesConf(texts: readonly SettingsText[]): Promise<RegistryEntry[]> {
  const entries = new Map<string, RegistryEntry>();
  for (const { path, text } of texts) {
    // Distributions ship long lists of aliases and nothing else.
    if (!/registr/.test(text)) continue;
    const file = await parseToml(path, text);
    refuseVersion1(file);
    for (const table of fieldsOf(file).tables('registry')) {
      const entry = readEntry(table);
      entries.set(entry.prefix, entry);
    }
  }
  return [...entries.values()];
}

function refuseVersion1(file: TomlFile): void {
  if (file.table.registries === undefined) return;
  throw new OciError('SETTINGS_INVALID', `${file.path}: [registries] is of version 1 of this format`, {
    hint: 'write [[registry]] tables, as in containers-registries.conf(5)',
  });
}

/**
 * The name with its alias in place (`[aliases]`, mostly in shortnames.conf): `fedora:42` may be
 * `registry.fedoraproject.org/fedora:42`. As it was when it has a host, or none of the files knows it.
 * Throws SETTINGS_INVALID, PERMISSION.
 */
export async function expandAlias(image: string, texts: readonly SettingsText[]): Promise<string> {
  const { name } = splitReference(image);
  if (name === '' || hasHost(name)) return image;
  if (texts.every(({ text }) => saysNothingNew(text, name))) return image;
  let alias = '';
  for (const { path, text } of texts) {
    const fields = fieldsOf(await parseToml(path, text)).table('aliases');
    alias = fields?.string(name) ?? alias;
    if (fields !== undefined && alias !== '' && !hasHost(alias))
      throw fields.error(name, 'HOST/NAME without tag or digest');
  }
  return alias === '' ? image : alias + image.slice(name.length);
}

/**
 * True when no alias of this name is in the text, or one for what it means anyway: most of what distributions ship. Such
 * names do not wait for the parser.
 */
function saysNothingNew(text: string, name: string): boolean {
  const key = new RegExp(`(?:^|[\\s{,.])(["']?)${RegExp.escape(name)}\\1\\s*=\\s*["'](.*?)["']`, 'gm');
  return [...text.matchAll(key)].every(([, , value]) => value === formatRepository(parseRepository(name)));
}
