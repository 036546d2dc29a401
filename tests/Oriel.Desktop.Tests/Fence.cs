using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Microsoft.Playwright;

namespace Oriel.Desktop.Tests;

/// <summary>
/// A Chromium behind a firewall: in a network namespace of its own, out of which nothing leads but TCP to the given ports of 127.0.0.1.
/// Each is carried over a unix socket, so there is no way for UDP at all; inside, UDP is dropped without a word, as firewalls do.
/// </summary>
internal sealed class Fence : IAsyncDisposable
{
    private const string Firewall = "table inet fence { chain out { type filter hook output priority 0; meta l4proto udp drop; }; }";

    /// <summary>A way out that ends nowhere: without a default route Chromium gathers no candidates.</summary>
    private const string Network =
        "ip link set lo up && ip link add out type veth peer name nowhere && ip addr add 192.0.2.2/24 dev out && ip link set out up && ip link set nowhere up && ip route add default via 192.0.2.1";

    /// <summary>Runs inside: listens on each port, hands connections to the port's unix socket, and is the browser's parent.</summary>
    private const string Inside = """
        const net = require('net'), { spawn } = require('child_process');
        const [folder, ports, browser, ...args] = process.argv.slice(2);
        const listening = ports.split(',').map(port => new Promise(done => net.createServer({ allowHalfOpen: true }, near => {
          const far = net.connect({ path: `${folder}/${port}`, allowHalfOpen: true });
          near.pipe(far).pipe(near);
          near.on('error', () => far.destroy());
          far.on('error', () => near.destroy());
          far.on('close', () => near.destroy());
        }).listen(+port, '127.0.0.1', done)));
        Promise.all(listening).then(() => spawn(browser, args, { stdio: ['inherit', 'inherit', 'inherit', 'inherit', 'inherit'] }).on('exit', code => process.exit(code ?? 1)));
        """;

    private readonly DirectoryInfo _folder;
    private readonly Dictionary<int, Gate> _gates = [];

    private Fence(DirectoryInfo folder) => _folder = folder;

    public IBrowser Browser { get; private set; } = null!;

    public static async Task<Fence> StartAsync(IPlaywright playwright, IEnumerable<string> arguments, params int[] ports)
    {
        var fence = new Fence(Directory.CreateTempSubdirectory("oriel-fence-"));
        var folder = fence._folder.FullName;
        foreach (var port in ports)
        {
            fence._gates[port] = new Gate(fence.PathOf(port), port);
        }

        var node = Directory
            .EnumerateFiles(Path.Combine(AppContext.BaseDirectory, ".playwright", "node"), "node", SearchOption.AllDirectories)
            .First();
        await File.WriteAllTextAsync(Path.Combine(folder, "inside.js"), Inside);
        await File.WriteAllTextAsync(Path.Combine(folder, "firewall"), Firewall);
        var start = Path.Combine(folder, "start");
        await File.WriteAllTextAsync(
            start,
            $"""
            #!/bin/sh
            exec unshare --map-root-user --net sh -c '{Network} && nft -f "$0/firewall" && exec "$@"' {folder} {node} {folder}/inside.js {folder} {string.Join(
                ',',
                ports
            )} /usr/bin/chromium "$@"
            """
        );
        File.SetUnixFileMode(start, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        fence.Browser = await playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions { ExecutablePath = start, Args = arguments });
        return fence;
    }

    /// <summary>From now on this port is blocked as well: what is open breaks, what is tried ends at once.</summary>
    public void Shut(int port) => _gates[port].Dispose();

    /// <summary>From now on this port is open again.</summary>
    public void Open(int port)
    {
        File.Delete(PathOf(port));
        _gates[port] = new Gate(PathOf(port), port);
    }

    public async ValueTask DisposeAsync()
    {
        await Browser.CloseAsync();
        foreach (var gate in _gates.Values)
        {
            gate.Dispose();
        }

        _folder.Delete(recursive: true);
    }

    private string PathOf(int port) => Path.Combine(_folder.FullName, port.ToString(CultureInfo.InvariantCulture));

    /// <summary>One port's way out.</summary>
    private sealed class Gate : IDisposable
    {
        private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        private readonly ConcurrentBag<Socket> _open = [];
        private readonly int _port;

        public Gate(string path, int port)
        {
            _port = port;
            _listener.Bind(new UnixDomainSocketEndPoint(path));
            _listener.Listen();
            _ = AcceptAsync();
        }

        public void Dispose()
        {
            _listener.Dispose();
            foreach (var socket in _open)
            {
                socket.Dispose();
            }
        }

        private async Task AcceptAsync()
        {
            try
            {
                while (true)
                {
                    _ = CarryAsync(await _listener.AcceptAsync());
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // Shut.
            }
        }

        private async Task CarryAsync(Socket near)
        {
            var far = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            _open.Add(near);
            _open.Add(far);
            try
            {
                await far.ConnectAsync(IPAddress.Loopback, _port);
                await Task.WhenAll(CopyAsync(near, far), CopyAsync(far, near));
            }
            catch (Exception e) when (e is SocketException or IOException or ObjectDisposedException)
            {
                // One end went; so does the other.
            }
            finally
            {
                near.Dispose();
                far.Dispose();
            }
        }

        private static async Task CopyAsync(Socket from, Socket to)
        {
            await new NetworkStream(from).CopyToAsync(new NetworkStream(to));
            to.Shutdown(SocketShutdown.Send);
        }
    }
}
