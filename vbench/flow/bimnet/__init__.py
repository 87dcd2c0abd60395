"""BIMNet (Son et al., TOG 2021): a LiteFlowNet whose flow does not change with blur."""
