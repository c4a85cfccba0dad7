"""Scenes as they are delivered: what a cell of the sample sheet contains, and how its bands are opened.

`cells` parses a cell without opening anything. A reader of `readers.READERS` turns it into a `product.Product`: bands
and masks, each a file with what the metadata state on scale and offset. `offsets` decides on one offset for each band.
`resolve` inspects the files, checks grids and values, and returns the record that the rule resolve_scene writes
(`artefacts.scene_sources`). `virtual` makes one virtual raster of each role from the record; `opened` returns it to
the stages.

Stages know nothing of products: they open what `opened.SceneRasters` returns.
"""
