namespace Oriel.Desktops.Node;

/// <summary>How many desktops may start at the same time.</summary>
internal sealed class BootSlots(int most) : IDisposable
{
    private readonly SemaphoreSlim _free = new(most, most);

    /// <returns>True when a slot was free; false after having waited for one.</returns>
    public bool TryTake() => _free.Wait(0);

    public Task TakeAsync(CancellationToken cancellationToken) => _free.WaitAsync(cancellationToken);

    public void Free() => _free.Release();

    public void Dispose() => _free.Dispose();
}

/// <summary>One that was taken; free again with this.</summary>
internal sealed class BootSlot(BootSlots slots) : IDisposable
{
    public void Dispose() => slots.Free();
}
