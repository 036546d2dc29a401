using System.Security.Cryptography;
using System.Text;
using Grpc.Core;
using Oriel.Agents;
using Oriel.Desktops.Lifecycle;
using Oriel.Desktops.Node;
using Oriel.Desktops.Steps;
using Oriel.Egress.Sessions;
using Oriel.Protocol;
using Oriel.Protocol.Display;
using Oriel.Protocol.Guest;

namespace Oriel.Desktops.Attestation;

/// <summary>
/// Asks a configured guest for every proof of readiness, side by side where they can be: files, environment and canary; the two
/// windows; a first encoded frame.
/// </summary>
internal sealed class Attestor(Expectation expected, StepRunner steps, AgentConnection agent, DesktopDeadlines deadlines, byte[] egressKey)
{
    private const int NonceLength = 16;
    private const uint ProbeBitrate = 2_000_000;
    private const uint ProbeFps = 30;
    internal static readonly string[] Observers = ["login", "session", "exec"];

    /// <param name="session">Completes when the desktop session runs.</param>
    public async Task<Proofs> RunAsync(Task session, CancellationToken cancellationToken)
    {
        var nonce = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(NonceLength));
        WindowAttestation? terminal = null,
            browser = null;
        FrameAttestation? frame = null;
        AttestReply? reply = null;
        IReadOnlyList<FileAttestation> files = [];
        IReadOnlyList<EnvironmentAttestation> environment = [];
        CanaryAttestation? canary = null;
        await using var windows = new WindowWatch(agent);
        await Concurrently.WithAsync(
            windows.FollowAsync,
            token =>
                Concurrently.RunAsync(
                    token,
                    async t =>
                        (terminal, browser) = await AwaitBothAsync(steps, windows, deadlines, t, expected.Terminal, expected.Browser),
                    async t => frame = await steps.RunAsync(StepNames.FirstFrame, deadlines.FirstFrame, FirstFrameAsync, t),
                    async t =>
                    {
                        var asking = new Lazy<Task<AttestReply>>(() => AttestAsync(session, nonce, t));
                        files = await steps.RunAsync(
                            StepNames.FilesVerified,
                            deadlines.Attest,
                            async (progress, t2) =>
                            {
                                progress.Seen("waiting for the desktop session");
                                reply = await asking.Value.WaitAsync(t2);
                                var proven = FileCheck.Verify(StepNames.FilesVerified, expected.Files, reply.Files);
                                progress.Seen($"{proven.Count} files");
                                return proven;
                            },
                            t
                        );
                        environment = await steps.RunAsync(
                            StepNames.EnvironmentVerified,
                            deadlines.Attest,
                            (progress, _) => Task.FromResult(VerifyEnvironment(reply!, progress)),
                            t
                        );
                        canary = await steps.RunAsync(
                            StepNames.EgressCanary,
                            deadlines.Attest,
                            (progress, _) => Task.FromResult(VerifyCanary(reply!, nonce, progress)),
                            t
                        );
                    }
                ),
            cancellationToken
        );
        return new Proofs(files, environment, reply!, terminal, browser, frame!, canary!);
    }

    /// <summary>Waits for terminal and browser alone: what a session shows before it belongs to anybody.</summary>
    public static async Task AwaitWindowsAsync(
        StepRunner steps,
        AgentConnection agent,
        DesktopDeadlines deadlines,
        CancellationToken cancellationToken
    )
    {
        await using var windows = new WindowWatch(agent);
        await Concurrently.WithAsync(windows.FollowAsync, token => AwaitBothAsync(steps, windows, deadlines, token), cancellationToken);
    }

    private static async Task<(WindowAttestation? Terminal, WindowAttestation? Browser)> AwaitBothAsync(
        StepRunner steps,
        WindowWatch windows,
        DesktopDeadlines deadlines,
        CancellationToken cancellationToken,
        bool wantsTerminal = true,
        bool wantsBrowser = true
    )
    {
        WindowAttestation? terminal = null,
            browser = null;
        await Concurrently.RunAsync(
            cancellationToken,
            async t =>
                terminal = wantsTerminal
                    ? await AwaitWindowAsync(steps, StepNames.TerminalWindow, deadlines.TerminalWindow, windows, IsTerminal, t)
                    : null,
            async t =>
                browser = wantsBrowser
                    ? await AwaitWindowAsync(steps, StepNames.BrowserWindow, deadlines.BrowserWindow, windows, IsBrowser, t)
                    : null
        );
        return (terminal, browser);
    }

    public static bool IsTerminal(Window window) =>
        window.Title.Contains("CLI Terminal", StringComparison.OrdinalIgnoreCase)
        || window.WindowClass.Contains("CLI Terminal", StringComparison.OrdinalIgnoreCase);

    public static bool IsBrowser(Window window) => window.WindowClass.Contains("chromium", StringComparison.OrdinalIgnoreCase);

    private static Task<WindowAttestation> AwaitWindowAsync(
        StepRunner steps,
        string step,
        TimeSpan deadline,
        WindowWatch windows,
        Func<Window, bool> wanted,
        CancellationToken cancellationToken
    ) =>
        steps.RunAsync(
            step,
            deadline,
            async (progress, token) =>
            {
                var window = await windows.AwaitAsync(wanted, progress.Seen, token);
                return new WindowAttestation(
                    window.Title,
                    window.WindowClass,
                    window.X,
                    window.Y,
                    window.Width,
                    window.Height,
                    progress.ElapsedMs
                );
            },
            cancellationToken
        );

    private async Task<FrameAttestation> FirstFrameAsync(StepProgress progress, CancellationToken cancellationToken)
    {
        using var call = agent.Display.Video(cancellationToken: cancellationToken);
        var start = new VideoStart
        {
            Codec = Codec.Vp8,
            Bitrate = ProbeBitrate,
            MaxFps = ProbeFps,
        };
        await call.RequestStream.WriteAsync(new VideoControl { Start = start }, cancellationToken);
        if (!await call.ResponseStream.MoveNext(cancellationToken))
        {
            throw progress.Fail(ReasonCodes.StepFailed, "The agent ended the video stream without a frame.");
        }

        var frame = call.ResponseStream.Current;
        progress.Seen($"{frame.Width}x{frame.Height}, {frame.Data.Length} bytes");
        return frame is { KeyFrame: true, Data.Length: > 0 } && frame.Width == expected.Width && frame.Height == expected.Height
            ? new FrameAttestation("vp8", frame.Data.Length, frame.KeyFrame, frame.Width, frame.Height, progress.ElapsedMs)
            : throw progress.Fail(ReasonCodes.StepFailed, $"The first frame is no key frame of {expected.Width}x{expected.Height}.");
    }

    private async Task<AttestReply> AttestAsync(Task session, string nonce, CancellationToken cancellationToken)
    {
        await session.WaitAsync(cancellationToken);
        var request = new AttestRequest { CanaryNonce = nonce };
        request.Paths.AddRange(expected.Files.Select(f => f.Path));
        request.EnvNames.AddRange(expected.Environment.Keys);
        return await agent.Guest.AttestAsync(request, cancellationToken: cancellationToken);
    }

    private IReadOnlyList<EnvironmentAttestation> VerifyEnvironment(AttestReply reply, StepProgress progress)
    {
        var identity = ((string What, string Asked, string Seen)[])
            [
                ("host name", expected.Hostname, reply.Hostname),
                ("time zone", expected.TimeZone, reply.TimeZone),
                ("keyboard layout", expected.KeyboardLayout, reply.KeyboardLayout),
            ];
        if (identity.FirstOrDefault(i => i.Asked != i.Seen) is { What: not null } wrong)
        {
            throw progress.Fail(ReasonCodes.EnvironmentMismatch, $"The {wrong.What} is '{wrong.Seen}', '{wrong.Asked}' was asked for.");
        }

        var observed = reply.Env.ToLookup(e => e.Name);
        return [.. expected.Environment.Select(variable => Verify(variable.Key, variable.Value, [.. observed[variable.Key]], progress))];
    }

    private static EnvironmentAttestation Verify(string name, string wanted, ObservedEnv[] observed, StepProgress progress)
    {
        if (observed.Length > 1)
        {
            throw progress.Fail(ReasonCodes.EnvironmentMismatch, $"The guest answered the variable {name} {observed.Length} times.");
        }

        var seen = observed.FirstOrDefault();
        foreach (var observer in Observers)
        {
            // The value may be a secret: only that it differs is said.
            var value = seen is not null && seen.SeenBy.TryGetValue(observer, out var v) ? v : null;
            if (value != wanted)
            {
                throw progress.Fail(
                    ReasonCodes.EnvironmentMismatch,
                    $"The variable {name} is {(value is null ? "not set" : "another value")} as {observer} sees it."
                );
            }
        }

        return new EnvironmentAttestation(name, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(wanted))), Observers);
    }

    private CanaryAttestation VerifyCanary(AttestReply reply, string nonce, StepProgress progress)
    {
        var body = EgressSession.CanaryBody(egressKey, nonce);
        var same = CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(body), Encoding.ASCII.GetBytes(reply.CanaryBody));
        if (reply.CanaryStatus != 200 || !same)
        {
            progress.Seen($"status {reply.CanaryStatus}{(reply.CanaryError.Length > 0 ? ", " + reply.CanaryError : "")}");
            throw progress.Fail(
                ReasonCodes.CanaryFailed,
                $"The canary request to {GuestNetwork.CanaryHost} did not come back by this desktop's own egress."
            );
        }

        return new CanaryAttestation(nonce, reply.CanaryStatus, reply.CanaryBody, Math.Round(reply.CanaryUs / 1000.0, 1));
    }

    /// <summary>Everything that was proven.</summary>
    internal sealed record Proofs(
        IReadOnlyList<FileAttestation> Files,
        IReadOnlyList<EnvironmentAttestation> Environment,
        AttestReply Reply,
        WindowAttestation? Terminal,
        WindowAttestation? Browser,
        FrameAttestation Frame,
        CanaryAttestation Canary
    )
    {
        public AttestationDocument ToDocument(
            DesktopView desktop,
            string agentVersion,
            int keeperPid,
            DateTimeOffset startedAt,
            DateTimeOffset completedAt
        ) =>
            new()
            {
                DesktopId = desktop.Id.ToString(),
                StartedAt = startedAt,
                CompletedAt = completedAt,
                ImageName = desktop.ImageName,
                ImageDigest = desktop.ImageDigest,
                Driver = desktop.Driver,
                AgentVersion = agentVersion,
                KeeperPid = keeperPid,
                MachineId = ForeignWords.Of(Reply.MachineId, ForeignWords.Name),
                BootId = ForeignWords.Of(Reply.BootId, ForeignWords.Name),
                Files = Files,
                Environment = Environment,
                Hostname = Reply.Hostname,
                TimeZone = Reply.TimeZone,
                KeyboardLayout = Reply.KeyboardLayout,
                Terminal = Terminal,
                Browser = Browser,
                FirstFrame = Frame,
                Canary = Canary,
            };
    }
}
