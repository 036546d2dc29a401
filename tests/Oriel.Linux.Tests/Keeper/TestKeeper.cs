using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Oriel.Desktops.Keepers;
using Oriel.Protocol.Keeper;
using Oriel.Protocol.Layout;

namespace Oriel.Linux.Tests.Keeper;

/// <summary>A real keeper with a real container whose first process is guest.pl.</summary>
internal sealed class TestKeeper : IAsyncDisposable
{
    public const string DesktopId = "d-abcdefghij";

    private readonly string _directory;
    private Socket? _control;
    private StreamReader? _events;
    private long _lastId;

    private TestKeeper(string directory, KeeperSpec spec)
    {
        _directory = directory;
        Spec = spec;
    }

    public KeeperSpec Spec { get; }

    public KeeperIdentity Identity { get; private set; } = null!;

    public Bundle Bundle => new(Spec.Bundle);

    /// <summary>Events read so far.</summary>
    public List<KeeperEvent> Seen { get; } = [];

    /// <summary>Starts a keeper, connects to it, and waits until its guest runs unless told otherwise.</summary>
    /// <param name="change">Makes the specification another driver's or image's.</param>
    /// <param name="before">A command of the shell, in the keeper's namespaces and as their root; <c>$2</c> is the bundle.</param>
    /// <param name="environment">Of the keeper alone, as the shell's assignments before a command.</param>
    public static async Task<TestKeeper> StartAsync(
        string? agent = null,
        bool untilRunning = true,
        KeeperLimits? limits = null,
        Func<KeeperSpec, KeeperSpec>? change = null,
        string environment = "",
        string before = "true"
    )
    {
        KeeperRing.Require();
        var directory = Directory.CreateTempSubdirectory("oriel-keeper-").FullName;
        // The keeper's environment is the launcher's: one variable for all tests of this process.
        agent ??= KeeperRing.GuestScript;
        var copy = Path.Combine(directory, "agent");
        File.Copy(agent, copy);
        File.SetUnixFileMode(copy, (UnixFileMode)0b111_101_101);
        var bundle = Path.Combine(directory, "desktop");
        var spec = new KeeperSpec(
            DesktopId,
            bundle,
            "container",
            KeeperRing.Image,
            "sha256:test",
            Path.Combine(directory, "egress.sock"),
            Enumerable.Repeat((byte)7, 32).ToArray(),
            Enumerable.Repeat((byte)9, 32).ToArray(),
            "testing",
            limits ?? new KeeperLimits(0, 0, 0, null)
        );
        spec = change?.Invoke(spec) ?? spec;
        var keeper = new TestKeeper(directory, spec);
        keeper.Identity = await new KeeperLauncher(await WrapperAsync(directory, copy, environment, before)).StartAsync(
            spec,
            TestContext.Current.CancellationToken
        );
        await keeper.ConnectAsync();
        if (untilRunning)
        {
            await keeper.WaitForAsync<GuestRunning>();
        }

        return keeper;
    }

    /// <summary>Connects (again) to keeper.sock; what was seen before is forgotten, as the replay tells it anew.</summary>
    public async Task ConnectAsync()
    {
        _control?.Dispose();
        Seen.Clear();
        _control = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await _control.ConnectAsync(new UnixDomainSocketEndPoint(Bundle.KeeperSocket));
        _events = new StreamReader(new NetworkStream(_control), Encoding.UTF8);
    }

    /// <summary>Sends a command and waits for its answer; events that come before it are in <see cref="Seen"/>.</summary>
    /// <returns>Why it was not done; null = it was.</returns>
    public async Task<string?> AskAsync(Func<long, KeeperCommand> command, TimeSpan? patience = null)
    {
        var id = ++_lastId;
        await _control!.SendAsync(
            Encoding.UTF8.GetBytes(JsonSerializer.Serialize(command(id), KeeperMessageContext.Default.KeeperCommand) + "\n")
        );
        return (await WaitForAsync<KeeperReply>(reply => reply.Id == id, patience)).Problem;
    }

    /// <summary>Reads until one of this kind has come that fits.</summary>
    /// <param name="patience">Default <see cref="KeeperRing.Deadline"/>.</param>
    public async Task<T> WaitForAsync<T>(Func<T, bool>? fits = null, TimeSpan? patience = null)
        where T : KeeperMessage
    {
        var most = patience ?? KeeperRing.Deadline;
        using var limit = new CancellationTokenSource(most);
        try
        {
            while (await _events!.ReadLineAsync(limit.Token) is { } line)
            {
                var message = JsonSerializer.Deserialize(line, KeeperMessageContext.Default.KeeperMessage)!;
                if (message is KeeperEvent happened)
                {
                    Seen.Add(happened);
                }

                if (message is T wanted && fits?.Invoke(wanted) != false)
                {
                    return wanted;
                }
            }
        }
        catch (OperationCanceledException)
        {
            throw new TimeoutException($"No {typeof(T).Name} that fits within {most.TotalSeconds} s; {Describe()}");
        }

        throw new EndOfStreamException($"The keeper ended before a {typeof(T).Name} that fits; {Describe()}");
    }

    public Task<KeeperStep> WaitForStepAsync(string name) => WaitForAsync<KeeperStep>(step => step.Name == name);

    public async Task WaitForConsoleAsync(string text)
    {
        if (!Seen.Any(Fits))
        {
            await WaitForAsync<ConsoleLine>(Fits);
        }

        bool Fits(KeeperEvent seen) =>
            seen is ConsoleLine { Line: var line }
            && line.Contains(text, StringComparison.Ordinal)
            && !line.StartsWith("command:", StringComparison.Ordinal);
    }

    public async Task<IReadOnlyDictionary<string, long>> CountersAsync()
    {
        Assert.Null(await AskAsync(id => new ReadCounters(id)));
        return Seen.OfType<KeeperCounters>().Last().Values;
    }

    /// <summary>A connection through agent.sock to the guest's first process.</summary>
    public async Task<Socket> DialAgentAsync()
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(Bundle.AgentSocket));
        return socket;
    }

    /// <summary>Runs a shell command in the guest, as its root.</summary>
    public async Task<(int Code, string Output)> RunAsync(string command)
    {
        using var limit = new CancellationTokenSource(KeeperRing.Deadline);
        using var socket = await DialAgentAsync();
        await using var stream = new NetworkStream(socket);
        await stream.WriteAsync(Encoding.UTF8.GetBytes(command.ReplaceLineEndings(" ") + "\n"), limit.Token);
        using var reader = new StreamReader(stream);
        var output = new StringBuilder();
        while (await reader.ReadLineAsync(limit.Token) is { } line)
        {
            if (line.StartsWith("rc ", StringComparison.Ordinal))
            {
                return (int.Parse(line.AsSpan(3), System.Globalization.CultureInfo.InvariantCulture), output.ToString());
            }

            output.Append(line).Append('\n');
        }

        throw new EndOfStreamException($"The guest's connection ended in: {command}\n{output}");
    }

    /// <summary>Runs Perl in the guest, with sockets loaded; single quotes must not occur in it.</summary>
    public Task<(int Code, string Output)> RunPerlAsync(string script) => RunAsync($"perl -MSocket -MIO::Socket::INET -e '{script}'");

    /// <summary>Runs a command of the shell in the keeper's user and mount namespaces, as their root.</summary>
    public async Task InNamespacesAsync(string command)
    {
        var start = new System.Diagnostics.ProcessStartInfo(
            "nsenter",
            ["--target", $"{Identity.Pid}", "--user", "--mount", "--preserve-credentials", "--", "sh", "-c", command]
        )
        {
            RedirectStandardError = true,
        };
        using var process = System.Diagnostics.Process.Start(start)!;
        var said = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, said);
    }

    public Task WaitForEndAsync() =>
        Eventually.HoldsAsync(() => !KeeperLiveness.IsAlive(Identity), () => "the keeper is there", KeeperRing.Deadline);

    public async ValueTask DisposeAsync()
    {
        _control?.Dispose();
        KeeperLiveness.Kill(Identity);
        await WaitForEndAsync();
        await BundleRemover.RemoveAsync(Bundle, CancellationToken.None);
        Directory.Delete(_directory, recursive: true);
    }

    private string Describe()
    {
        var console = Bundle.ConsoleLog;
        var log = Bundle.KeeperLog;
        return $"seen: {string.Join("; ", Seen.TakeLast(8))}\nconsole: {(File.Exists(console) ? File.ReadAllText(console) : "none")}"
            + $"\nkeeper: {(File.Exists(log) ? File.ReadAllText(log) : "none")}";
    }

    // Each keeper gets an agent of its own without a change to the environment of this process, which other tests share.
    private static async Task<string> WrapperAsync(string directory, string agent, string environment, string before)
    {
        var path = Path.Combine(directory, "keeper");
        await File.WriteAllTextAsync(
            path,
            $"#!/bin/sh\n{before} || exit\nORIEL_AGENT_BINARY={agent} {environment} exec {KeeperRing.KeeperPath} \"$@\"\n"
        );
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        return path;
    }
}
