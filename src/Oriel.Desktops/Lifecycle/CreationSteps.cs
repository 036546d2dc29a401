using Oriel.Protocol;

namespace Oriel.Desktops.Lifecycle;

/// <summary>
/// Which step of a creation is named where several run side by side. It must not hang on which of them began a moment later: of the
/// server's it is the first in the order of <see cref="StepNames.OfServer"/>; a keeper's or guest's own comes before the server's step that
/// waits for it.
/// </summary>
internal static class CreationSteps
{
    private static readonly string[] Order = [.. StepNames.OfServer];

    /// <returns>Null where none runs.</returns>
    public static string? Running(IEnumerable<StepView> steps)
    {
        string[] running = [.. steps.Where(step => step.State == StepState.Running).Select(step => step.Name)];
        return running.LastOrDefault(name => !Order.Contains(name)) ?? running.MinBy(name => Array.IndexOf(Order, name));
    }

    /// <summary>The one after the last that is done.</summary>
    /// <param name="least">The first of the state that the desktop is in.</param>
    public static string Next(IEnumerable<StepView> steps, string least)
    {
        var done = steps
            .Where(step => step.State == StepState.Done)
            .Select(step => Array.IndexOf(Order, step.Name))
            .DefaultIfEmpty(-1)
            .Max();
        return Order[Math.Clamp(done + 1, Array.IndexOf(Order, least), Order.Length - 1)];
    }
}
