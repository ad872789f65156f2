// The top layer: the tree of aspnetcore-runtime 2.1.8 below /usr/share/dotnet, with the assemblies people know by name.
import { dir, type Entry, filler, type LayerTree, symlink, text } from './tree.ts';

const VERSION = '2.1.8';

const NETCORE_NATIVE: Record<string, number> = {
  'libclrjit.so': 1_640_000,
  'libcoreclrtraceptprovider.so': 1_080_000,
  'libdbgshim.so': 150_000,
  'libhostpolicy.so': 620_000,
  'libmscordaccore.so': 2_480_000,
  'libmscordbi.so': 1_790_000,
  'libsos.so': 880_000,
  'System.Globalization.Native.so': 86_000,
  'System.IO.Compression.Native.so': 860_000,
  'System.Native.so': 91_000,
  'System.Net.Http.Native.so': 31_000,
  'System.Net.Security.Native.so': 20_000,
  'System.Security.Cryptography.Native.OpenSsl.so': 117_000,
  createdump: 720_000,
};

const NETCORE_BIG: Record<string, number> = {
  'System.Private.CoreLib': 8_670_000,
  'System.Private.Xml': 8_200_000,
  'System.Private.DataContractSerialization': 2_150_000,
  'System.Linq.Expressions': 3_900_000,
  'System.Net.Http': 1_450_000,
  'System.Data.Common': 2_780_000,
  'Microsoft.CSharp': 1_100_000,
  'Microsoft.VisualBasic': 480_000,
};

const NETCORE =
  'AppContext Buffers Collections Collections.Concurrent Collections.Immutable Collections.NonGeneric Collections.Specialized ComponentModel ComponentModel.Annotations ComponentModel.Primitives ComponentModel.TypeConverter Configuration Console Core Data Diagnostics.Debug Diagnostics.DiagnosticSource Diagnostics.FileVersionInfo Diagnostics.Process Diagnostics.StackTrace Diagnostics.Tracing Drawing Drawing.Primitives Dynamic.Runtime Globalization IO IO.Compression IO.Compression.Brotli IO.Compression.ZipFile IO.FileSystem IO.FileSystem.DriveInfo IO.FileSystem.Watcher IO.MemoryMappedFiles IO.Pipes Linq Linq.Parallel Linq.Queryable Memory Net Net.HttpListener Net.Mail Net.NameResolution Net.NetworkInformation Net.Ping Net.Primitives Net.Requests Net.Security Net.ServicePoint Net.Sockets Net.WebClient Net.WebProxy Net.WebSockets Net.WebSockets.Client Numerics Numerics.Vectors ObjectModel Private.Uri Private.Xml.Linq Reflection Reflection.DispatchProxy Reflection.Emit Reflection.Metadata Reflection.TypeExtensions Resources.ResourceManager Resources.Writer Runtime Runtime.Extensions Runtime.InteropServices Runtime.Loader Runtime.Numerics Runtime.Serialization.Formatters Runtime.Serialization.Json Runtime.Serialization.Xml Security Security.Claims Security.Cryptography.Algorithms Security.Cryptography.Csp Security.Cryptography.Encoding Security.Cryptography.Primitives Security.Cryptography.X509Certificates Security.Principal Text.Encoding Text.RegularExpressions Threading Threading.Overlapped Threading.Tasks Threading.Tasks.Dataflow Threading.Tasks.Extensions Threading.Thread Threading.ThreadPool Threading.Timer Transactions ValueTuple Web.HttpUtility Windows Xml Xml.Linq Xml.ReaderWriter Xml.Serialization Xml.XDocument Xml.XmlDocument Xml.XPath';

/** In both Microsoft.AspNetCore.All and Microsoft.AspNetCore.App. */
const ASPNET =
  'AspNetCore AspNetCore.Antiforgery AspNetCore.Authentication AspNetCore.Authentication.Cookies AspNetCore.Authentication.Google AspNetCore.Authentication.JwtBearer AspNetCore.Authentication.OAuth AspNetCore.Authentication.OpenIdConnect AspNetCore.Authorization AspNetCore.Connections.Abstractions AspNetCore.CookiePolicy AspNetCore.Cors AspNetCore.Cryptography.Internal AspNetCore.DataProtection AspNetCore.Diagnostics AspNetCore.HostFiltering AspNetCore.Hosting AspNetCore.Html.Abstractions AspNetCore.Http AspNetCore.Http.Connections AspNetCore.HttpOverrides AspNetCore.HttpsPolicy AspNetCore.Identity AspNetCore.JsonPatch AspNetCore.Localization AspNetCore.Mvc AspNetCore.Mvc.Core AspNetCore.Mvc.Razor AspNetCore.Mvc.RazorPages AspNetCore.Mvc.TagHelpers AspNetCore.Mvc.ViewFeatures AspNetCore.NodeServices AspNetCore.Razor AspNetCore.Razor.Language AspNetCore.ResponseCaching AspNetCore.ResponseCompression AspNetCore.Rewrite AspNetCore.Routing AspNetCore.Server.HttpSys AspNetCore.Server.IISIntegration AspNetCore.Server.Kestrel.Core AspNetCore.Server.Kestrel.Https AspNetCore.Session AspNetCore.SignalR AspNetCore.SignalR.Core AspNetCore.SpaServices AspNetCore.StaticFiles AspNetCore.WebSockets CodeAnalysis.Razor EntityFrameworkCore EntityFrameworkCore.Relational EntityFrameworkCore.SqlServer Extensions.Caching.Memory Extensions.Configuration Extensions.Configuration.Json Extensions.DependencyInjection Extensions.FileProviders.Physical Extensions.Hosting.Abstractions Extensions.Http Extensions.Logging Extensions.Logging.Console Extensions.Options Extensions.Primitives Extensions.WebEncoders IdentityModel.Tokens Net.Http.Headers';

/** In Microsoft.AspNetCore.All only. */
const ASPNET_ALL =
  'ApplicationInsights.AspNetCore AspNetCore.ApplicationInsights.HostingStartup AspNetCore.AzureAppServices.HostingStartup AspNetCore.DataProtection.AzureStorage AspNetCore.Server.Kestrel.Transport.Libuv Azure.KeyVault Data.Sqlite EntityFrameworkCore.Sqlite Extensions.Caching.Redis Extensions.Caching.SqlServer Extensions.Configuration.AzureKeyVault Extensions.Logging.AzureAppServices';

const BIG_ASSEMBLIES: Record<string, number> = {
  'Microsoft.CodeAnalysis.dll': 4_950_000,
  'Microsoft.CodeAnalysis.CSharp.dll': 11_400_000,
};

/** Layer 3: aspnetcore-runtime unpacked below /usr/share/dotnet, and /usr/bin/dotnet.*/
export function aspnetLayer(): LayerTree {
  const shared = 'usr/share/dotnet/shared';
  const all = `${shared}/Microsoft.AspNetCore.All/${VERSION}`;
  const app = `${shared}/Microsoft.AspNetCore.App/${VERSION}`;
  const netcore = `${shared}/Microsoft.NETCore.App/${VERSION}`;
  const folders = [all, app, netcore].flatMap((path) => [
    dir(path.slice(0, path.lastIndexOf('/'))),
    dir(path),
  ]);
  const entries = [
    dir('usr/share/dotnet'),
    filler('usr/share/dotnet/dotnet', 105_704, 0o755),
    filler('usr/share/dotnet/LICENSE.txt', 9_519),
    filler('usr/share/dotnet/ThirdPartyNotices.txt', 26_990),
    dir('usr/share/dotnet/host'),
    dir('usr/share/dotnet/host/fxr'),
    dir(`usr/share/dotnet/host/fxr/${VERSION}`),
    filler(`usr/share/dotnet/host/fxr/${VERSION}/libhostfxr.so`, 590_104, 0o755),
    dir(shared),
    ...folders,
    ...framework(all, 'Microsoft.AspNetCore.All', [
      ...assemblies('Microsoft.', ASPNET, 215_000),
      ...assemblies('Microsoft.', ASPNET_ALL, 260_000),
      ...Object.entries(BIG_ASSEMBLIES),
    ]),
    ...framework(app, 'Microsoft.AspNetCore.App', [
      ...assemblies('Microsoft.', ASPNET, 215_000),
      ...Object.entries(BIG_ASSEMBLIES),
    ]),
    ...framework(netcore, 'Microsoft.NETCore.App', [
      ...Object.entries(NETCORE_BIG).map(([name, size]): [string, number] => [`${name}.dll`, size]),
      ...assemblies('System.', NETCORE, 290_000),
      ...Object.entries(NETCORE_NATIVE),
    ]),
    filler(`${netcore}/libcoreclr.so`, 'rest', 0o755),
    symlink('usr/bin/dotnet', '/usr/share/dotnet/dotnet'),
    filler('lib/apk/db/installed', 61_940),
    filler('lib/apk/db/scripts.tar', 17_920),
    text('lib/apk/db/lock', '', { mode: 0o600 }),
  ];
  return { entries, bytes: 147_352_582, letters: 9, mtime: Date.UTC(2019, 2, 8, 3, 1, 35) / 1000 };
}

function framework(folder: string, name: string, files: [string, number][]): Entry[] {
  const runtime =
    name === 'Microsoft.NETCore.App' ? undefined : { name: 'Microsoft.NETCore.App', version: VERSION };
  return [
    filler(`${folder}/${name}.deps.json`, 30_000),
    ...(runtime
      ? [
          text(
            `${folder}/${name}.runtimeconfig.json`,
            `${JSON.stringify({ runtimeOptions: { framework: runtime } })}\n`,
          ),
        ]
      : []),
    ...files.map(([file, size]) => filler(`${folder}/${file}`, size, file.endsWith('.dll') ? 0o644 : 0o755)),
  ];
}

/** Sizes vary with the name, around `bytes`. */
function assemblies(prefix: string, names: string, bytes: number): [string, number][] {
  return names
    .split(' ')
    .map((name, i) => [
      `${prefix}${name}.dll`,
      Math.round(bytes * (0.2 + ((i * 7 + name.length) % 17) / 10)),
    ]);
}
