using Microsoft.Extensions.Logging;

namespace Oriel.Desktops.Steps;

/// <summary>
/// What must be undone, newest first. Each part of a creation pushes its undo step as soon as there is something to undo; unwinding
/// runs all of them, whatever fails on the way, and each only once.
/// </summary>
internal sealed class CleanupStack(ILogger logger)
{
    private readonly Lock _lock = new();
    private readonly Stack<(string Name, Func<Task> Undo)> _steps = new();

    public void Push(string name, Func<Task> undo)
    {
        lock (_lock)
        {
            _steps.Push((name, undo));
        }
    }

    /// <returns>The steps that failed; empty when nothing is left behind.</returns>
    public async Task<IReadOnlyList<string>> UnwindAsync()
    {
        var failed = new List<string>();
        while (true)
        {
            (string Name, Func<Task> Undo) step;
            lock (_lock)
            {
                if (!_steps.TryPop(out step))
                {
                    return failed;
                }
            }

            try
            {
                await step.Undo();
            }
            catch (Exception e)
            {
                // An undo step that throws is our fault, and must not keep the others from running.
                logger.LogError(e, "Clean-up step {Step} failed", step.Name);
                failed.Add($"{step.Name}: {e.Message}");
            }
        }
    }
}
