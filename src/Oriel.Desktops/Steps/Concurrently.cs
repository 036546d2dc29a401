using System.Runtime.ExceptionServices;

namespace Oriel.Desktops.Steps;

/// <summary>Tasks side by side, of which one that fails ends the others.</summary>
internal static class Concurrently
{
    /// <summary>Runs <paramref name="beside"/> until <paramref name="main"/> is done; a failure of either ends both.</summary>
    public static async Task WithAsync(
        Func<CancellationToken, Task> beside,
        Func<CancellationToken, Task> main,
        CancellationToken cancellationToken
    )
    {
        using var done = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await RunAsync(
            cancellationToken,
            async token =>
            {
                using var either = CancellationTokenSource.CreateLinkedTokenSource(token, done.Token);
                try
                {
                    await beside(either.Token);
                }
                catch (OperationCanceledException) when (done.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
                {
                    // The main part is done.
                }
            },
            async token =>
            {
                try
                {
                    await main(token);
                }
                finally
                {
                    await done.CancelAsync();
                }
            }
        );
    }

    /// <summary>Runs all; the first failure cancels the others, is waited out, and is the one thrown.</summary>
    public static async Task RunAsync(CancellationToken cancellationToken, params IEnumerable<Func<CancellationToken, Task>> bodies)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Exception? first = null;
        await Task.WhenAll(
            bodies.Select(async body =>
            {
                try
                {
                    await body(stop.Token);
                }
                catch (Exception e)
                {
                    Interlocked.CompareExchange(ref first, e, null);
                    await stop.CancelAsync();
                }
            })
        );
        if (first is not null)
        {
            ExceptionDispatchInfo.Throw(first);
        }
    }
}
