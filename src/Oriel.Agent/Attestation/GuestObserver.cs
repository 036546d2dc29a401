using Grpc.Core;
using Oriel.Agent.Accounts;
using Oriel.Agent.Boot;
using Oriel.Agent.Configuration;
using Oriel.Agent.Files;
using Oriel.Linux.Machine;
using Oriel.Protocol.Boot;
using Oriel.Protocol.Guest;

namespace Oriel.Agent.Attestation;

/// <summary>Observes the guest for an attestation: what is, not what was meant. Every answer is taken when it is asked for.</summary>
internal sealed class GuestObserver(
    EnvironmentObserver observer,
    ScreenSetup screen,
    GuestConsole console,
    AgentOptions options,
    BootConfig config
)
{
    private const int MaxPaths = 2000;
    private const int MaxNames = 1000;
    private static readonly TimeSpan CanaryDeadline = TimeSpan.FromSeconds(10);

    /// <exception cref="RpcException">InvalidArgument: too much is asked. Unavailable: the session or a shell cannot be observed; says
    /// which.</exception>
    public async Task<AttestReply> AttestAsync(AttestRequest request, CancellationToken cancellationToken)
    {
        if (request.Paths.Count > MaxPaths || request.EnvNames.Count > MaxNames)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, $"more than {MaxPaths} paths or {MaxNames} names"));
        }

        var user = UserAccounts.Desktop();
        try
        {
            var loginTask = observer.LoginAsync(user, cancellationToken);
            var execTask = observer.ExecAsync(user, cancellationToken);
            var layoutTask = screen.ObserveLayoutAsync(user, cancellationToken);
            var sessionTask = ObserveSessionAsync(request, execTask, cancellationToken);
            await Task.WhenAll(loginTask, execTask, layoutTask, sessionTask);
            var (session, canary) = await sessionTask;
            var reply = new AttestReply
            {
                Hostname = GuestMachine.Hostname(),
                TimeZone = ObserveTimeZone(),
                KeyboardLayout = await layoutTask,
                CanaryStatus = canary.Status,
                CanaryBody = canary.Body,
                CanaryError = canary.Error,
                CanaryUs = canary.ElapsedUs,
                MachineId = File.ReadAllText(SystemIdentity.MachineIdPath).Trim(),
                BootId = BootId.Read(),
            };
            reply.Files.AddRange(request.Paths.Select(FileProofs.Read));
            reply.Env.AddRange(
                request.EnvNames.Select(name =>
                    Compare(name, ("login", loginTask.Result), (options.Headless ? "exec" : "session", session), ("exec", execTask.Result))
                )
            );
            return reply;
        }
        catch (IOException e)
        {
            throw new RpcException(new Status(StatusCode.Unavailable, e.Message));
        }
    }

    private static ObservedEnv Compare(string name, params ReadOnlySpan<(string Who, Dictionary<string, string> Environment)> observed)
    {
        var seen = new ObservedEnv { Name = name };
        foreach (var (who, environment) in observed)
        {
            if (environment.TryGetValue(name, out var value))
            {
                seen.SeenBy[who] = value;
            }
        }

        return seen;
    }

    /// <summary>What /etc/localtime leads to, which is what the C library reads.</summary>
    private static string ObserveTimeZone()
    {
        const string Root = "/usr/share/zoneinfo/";
        var target = new System.IO.FileInfo("/etc/localtime").LinkTarget ?? "";
        return target.StartsWith(Root, StringComparison.Ordinal) ? target[Root.Length..] : target;
    }

    private async Task<(Dictionary<string, string> Session, CanaryResult Canary)> ObserveSessionAsync(
        AttestRequest request,
        Task<Dictionary<string, string>> exec,
        CancellationToken cancellationToken
    )
    {
        // Without a session, what is executed is all that could speak of its environment.
        var (session, source) = options.Headless
            ? (await exec, "exec, there is no session")
            : await observer.SessionAsync(cancellationToken);
        console.Write("info", "attest", $"session environment read from {source}");
        var canary =
            request.CanaryNonce.Length == 0
                ? default
                : await CanaryProbe.RunAsync(request.CanaryNonce, session, CanaryDeadline * config.TimeScale, cancellationToken);
        return (session, canary with { Body = canary.Body ?? "", Error = canary.Error ?? "" });
    }
}
