"""The CLAIRE network and the RIFT loss."""
