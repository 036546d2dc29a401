namespace Oriel.Tests.Processes;

/// <summary>For tests that change or measure what this whole process has: its descriptors, its memory, its environment.</summary>
[CollectionDefinition(nameof(Alone), DisableParallelization = true)]
public sealed class Alone;
