using Oriel.Agent.Accounts;
using Oriel.Agent.Screens;
using Oriel.Linux;
using Oriel.Linux.Files;
using Oriel.Linux.Processes;
using Oriel.Protocol.Boot;

namespace Oriel.Agent.Session;

/// <summary>
/// Ends a session whole: what it started, what made itself a daemon, what the bus activated; and sees that no window of it is left.
/// </summary>
internal sealed class SessionCleanup(ScreenMonitor monitor, BootConfig config, TimeProvider clock)
{
    private const int SigTerm = 15,
        SigKill = 9;
    private const string BrowserProfile = ".config/chromium";
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(10);

    private readonly TimeSpan _patience = TimeSpan.FromSeconds(3) * config.TimeScale;
    private readonly TimeSpan _deadline = TimeSpan.FromSeconds(15) * config.TimeScale;

    /// <returns>How many processes there were.</returns>
    /// <exception cref="IOException">Some are left, or their windows.</exception>
    public async Task<int> EndAllButAsync(Child xServer, CancellationToken cancellationToken)
    {
        var began = clock.GetTimestamp();
        var signalled = new HashSet<int>();
        var first = Left(xServer);
        for (var left = first; left.Count > 0; left = Left(xServer))
        {
            var elapsed = clock.GetElapsedTime(began);
            if (elapsed > _deadline)
            {
                throw new IOException(
                    $"{left.Count} processes of the session did not end: {string.Join(", ", left.Take(5).Select(entry => entry.Name))}"
                );
            }

            // Once asked kindly, so that programs can put their files in order; what starts meanwhile is asked as well. A program's helpers
            // are its own to end: a browser whose renderers go first takes that for a crash.
            var names = left.ToDictionary(entry => entry.Pid, entry => entry.Name);
            foreach (
                var entry in left.Where(entry =>
                    elapsed > _patience || (names.GetValueOrDefault(entry.Parent) != entry.Name && signalled.Add(entry.Pid))
                )
            )
            {
                ChildReaper.SignalDescendant(entry.Pid, elapsed > _patience ? SigKill : SigTerm);
            }

            await Task.Delay(LookAgain, clock, cancellationToken);
        }

        ForgetBrowserLock();
        await WaitForNoWindowsAsync(cancellationToken);
        return first.Count;
    }

    /// <summary>
    /// Chromium's lock names host and process; one that is left of another host name makes the next Chromium ask what to do.
    /// </summary>
    private static void ForgetBrowserLock()
    {
        try
        {
            using var profile = DirectoryHandle.Open(Path.Combine(UserAccounts.Desktop().Home, BrowserProfile));
            foreach (var name in (string[])["SingletonLock", "SingletonCookie", "SingletonSocket"])
            {
                if (profile.TryStatus(name) is not null)
                {
                    profile.Unlink(name);
                }
            }
        }
        catch (LinuxException)
        {
            // No profile, no lock.
        }
    }

    private static List<ProcessEntry> Left(Child xServer) =>
        [.. ProcessTable.ReadDescendants(Environment.ProcessId).Where(entry => entry.Pid != xServer.Pid && entry.State != 'Z')];

    private async Task WaitForNoWindowsAsync(CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(_deadline);
        using var watch = monitor.Watch();
        try
        {
            while (
                !(await watch.ReadAsync(limit.Token)).Any(state => state.Windows is { } list && list.Windows.All(window => !window.Mapped))
            ) { }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new IOException("windows of the session that ended are still shown");
        }
    }
}
