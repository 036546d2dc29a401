using Oriel.Agent.Accounts;
using Oriel.Agent.Exec;
using Oriel.Agent.Session;
using Oriel.Agent.Variables;
using Oriel.Linux.Processes;
using Oriel.Protocol.Boot;

namespace Oriel.Agent.Attestation;

/// <summary>The environment as three real processes have it, not as the agent meant it.</summary>
internal sealed class EnvironmentObserver(
    CommandRunner commands,
    SessionEnvironment environment,
    SessionGate gate,
    BootConfig config,
    TimeProvider clock
)
{
    private static readonly TimeSpan CommandDeadline = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan SessionDeadline = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(20);

    /// <summary>
    /// <c>su -l user -c 'env -0'</c>: PAM, /etc/profile and the user's own profile take part. Where su cannot work (no PAM in the image),
    /// a login shell with the environment that login(1) gives.
    /// </summary>
    public async Task<Dictionary<string, string>> LoginAsync(UserAccount user, CancellationToken cancellationToken)
    {
        var root = UserAccounts.Find("0") ?? throw new IOException("The image has no root account.");
        var su = await commands.RunAsync(
            root,
            SessionEnvironment.Login(root),
            CommandDeadline,
            cancellationToken,
            "su",
            "-l",
            user.Name,
            "-c",
            "env -0"
        );
        if (su.Exit.ExitCode != 0)
        {
            su = (
                await commands.RunAsync(
                    user,
                    SessionEnvironment.Login(user),
                    CommandDeadline,
                    cancellationToken,
                    user.Shell,
                    "-l",
                    "-c",
                    "env -0"
                )
            ).OrThrow("login shell");
        }

        return ProcessTable.ParseEnvironment(su.Output);
    }

    public async Task<Dictionary<string, string>> ExecAsync(UserAccount user, CancellationToken cancellationToken) =>
        ProcessTable.ParseEnvironment(
            (await commands.RunAsync(user, environment.For(user), CommandDeadline, cancellationToken, "env", "-0")).OrThrow("env").Output
        );

    /// <summary>
    /// /proc/pid/environ of a shell in a terminal that xfce4-session started, or, until there is one, of a direct child of xfce4-session
    /// (its window manager, panel or desktop). Waits for the session to have a child.
    /// </summary>
    /// <exception cref="IOException">There is none in time.</exception>
    public async Task<(Dictionary<string, string> Environment, string Source)> SessionAsync(CancellationToken cancellationToken)
    {
        var began = clock.GetTimestamp();
        while (clock.GetElapsedTime(began) < SessionDeadline * config.TimeScale)
        {
            if (gate.Session is { } session && Find(session.Pid) is { } found)
            {
                return found;
            }

            await Task.Delay(LookAgain, clock, cancellationToken);
        }

        throw new IOException(gate.Session is not null ? "xfce4-session has no child process" : "the session has not started");
    }

    private static (Dictionary<string, string>, string)? Find(int session)
    {
        var below = ProcessTable.ReadDescendants(session);
        var shells = below.Where(entry => entry.Name is "bash" or "sh" or "dash" or "zsh" && entry.Parent != session);
        var children = below.Where(entry => entry.Parent == session && entry.State != 'Z');
        foreach (var entry in shells.Concat(children))
        {
            // A process that has not yet become its program has no environment of its own.
            if (ProcessTable.TryReadEnvironment(entry.Pid) is { Count: > 0 } environment)
            {
                return (environment, $"{entry.Name} (pid {entry.Pid})");
            }
        }

        return null;
    }
}
